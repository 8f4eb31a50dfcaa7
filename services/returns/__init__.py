"""Results, revenue, allocation and routing: what ends in one transaction."""
