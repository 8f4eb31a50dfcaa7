"""Webhooks of providers."""
