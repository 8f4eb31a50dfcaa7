"""Limits and budgets, the two kinds of spend controls: what is left, what counts and what is declined."""
