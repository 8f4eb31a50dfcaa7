"""Referrals of organizations by other organizations."""
