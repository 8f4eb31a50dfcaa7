"""Reports: metrics of each period, as a file."""
