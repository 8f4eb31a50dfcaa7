"""The marketplace: offers of agents, purchases, and what an organization has bought."""
