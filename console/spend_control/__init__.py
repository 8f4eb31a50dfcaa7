"""Spend controls of an organization: limits, what is left of them, and what they refused."""
