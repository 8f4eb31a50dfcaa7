"""What writes the parts of the client that are not written by hand."""
