"""Issuers of cards."""
