"""Usage events, and their sums."""
