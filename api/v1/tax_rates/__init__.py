"""Tax rates."""
