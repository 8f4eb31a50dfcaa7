"""What was consumed, and what it costs."""
