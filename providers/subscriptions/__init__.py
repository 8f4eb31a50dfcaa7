"""Providers that collect subscriptions, behind one protocol."""
