"""A day of many agents that spend as greedily as they can, counted beside the ledger."""
