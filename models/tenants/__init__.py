"""Organizations, people and keys."""
