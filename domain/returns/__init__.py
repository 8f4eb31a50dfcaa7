"""Results, revenue, return on investment, allocation and routing. Pure."""
