"""Tasks: objects that wait for the caller to act."""
