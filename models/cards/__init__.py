"""Cards, their authorizations and transactions: the tables."""
