"""What has changed since the last read, now and as a stream."""
