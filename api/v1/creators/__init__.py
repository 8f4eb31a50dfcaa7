"""Payout accounts of organizations."""
