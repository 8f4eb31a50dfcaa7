"""Stripe customers of organizations, and their payment methods."""
