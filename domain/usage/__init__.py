"""Usage and its cost: events and their sums, prices of models and meters, and exact arithmetic."""
