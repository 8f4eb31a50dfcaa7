"""Webhooks out: endpoints, and what was delivered to them."""
