"""Simulated attacks among honest organizations, decided by the product, and what they come to."""
