"""Budgets and purchases: what ends in one transaction."""
