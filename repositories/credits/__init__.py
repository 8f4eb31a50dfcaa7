"""Spending credits: lots, spends, limits and departments."""
