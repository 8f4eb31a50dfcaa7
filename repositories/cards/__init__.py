"""Cards, their authorizations and transactions: the statements."""
