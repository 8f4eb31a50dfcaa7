"""The marketplace: agents that are for sale, one of them, and buying it."""
