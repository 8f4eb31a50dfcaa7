"""Tasks: what waits for a person to act."""
