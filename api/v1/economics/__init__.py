"""Log of economic events."""
