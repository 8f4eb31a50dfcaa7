"""Cards, their authorizations and their transactions."""
