"""Changes since the last read, as marks and as a stream."""
