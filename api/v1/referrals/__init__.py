"""Referrals: who has brought which organization."""
