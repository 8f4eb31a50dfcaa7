"""Cards, their authorizations and transactions. Pure."""
