"""The marketplace: offers of agents, purchases, and the library of an organization."""
