"""Usage events: what was consumed, by whom, and their sums."""
