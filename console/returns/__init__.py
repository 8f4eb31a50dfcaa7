"""What agents return on what they cost, and the revenue that it counts."""
