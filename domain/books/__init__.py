"""The ledger as the other areas read it: balances, statements, accounts and reconciliation."""
