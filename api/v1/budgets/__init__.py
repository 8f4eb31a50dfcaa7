"""Budgets, and what agents read of them."""
