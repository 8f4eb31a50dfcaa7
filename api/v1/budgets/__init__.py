"""Budgets, and prompts about them."""
