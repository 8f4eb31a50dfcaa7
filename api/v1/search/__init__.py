"""Search for objects by a text."""
