"""Organizations: what operators do with them."""
