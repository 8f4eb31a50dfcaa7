"""Budgets of an organization: pools, what is left of them, what counts in them and what they refused."""
