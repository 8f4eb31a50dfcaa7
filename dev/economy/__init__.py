"""A day of many agents that spend as much as they can, counted independently of the ledger."""
