"""How a reader wants to read."""
