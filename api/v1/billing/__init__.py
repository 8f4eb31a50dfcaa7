"""Balances and the history of movements."""
