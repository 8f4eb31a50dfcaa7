"""Cards, their authorizations and transactions: what ends in one transaction."""
