"""Credit grants."""
