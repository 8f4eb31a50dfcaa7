"""Usage events, their cost by models and meters, and exact arithmetic."""
