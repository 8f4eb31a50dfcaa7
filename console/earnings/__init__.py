"""Earnings of an organization from its agents, and their payouts."""
