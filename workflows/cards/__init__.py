"""Workflows of cards, their authorizations and transactions."""
