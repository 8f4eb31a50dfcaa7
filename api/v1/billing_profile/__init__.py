"""Billing profiles."""
