"""Search for objects."""
