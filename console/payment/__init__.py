"""Payments: the list, one of them, its commands, and the way to the provider's page and back."""
