"""Tasks: what waits for somebody to act."""
