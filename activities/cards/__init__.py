"""Cards, their authorizations and transactions: durable effects."""
