"""Purchase orders: external purchases of agents."""
