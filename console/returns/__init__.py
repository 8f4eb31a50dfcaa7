"""Return of agents on their cost, and the revenue that it counts."""
