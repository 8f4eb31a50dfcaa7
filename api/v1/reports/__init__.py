"""Reports: figures of each period, as a file."""
