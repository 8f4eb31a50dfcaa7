"""Spend controls: their rules, their calendar, and the attribution of requests."""
