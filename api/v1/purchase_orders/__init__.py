"""Purchase orders: what agents want to buy outside."""
