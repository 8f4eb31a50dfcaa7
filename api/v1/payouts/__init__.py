"""Earnings of creators, and payouts."""
