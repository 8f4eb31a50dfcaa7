"""What is personal in the data, and what must never get into it."""
