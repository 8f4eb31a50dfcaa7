"""Statements of accounts, and balances as of a moment."""
