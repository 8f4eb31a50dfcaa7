"""The marketplace: offers of agents, how a sale is shared, and the access of a purchase."""
