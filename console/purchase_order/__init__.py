"""Pages of purchases: what agents want to buy outside."""
