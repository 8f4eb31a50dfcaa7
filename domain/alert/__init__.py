"""Alerts: their life, and who is called when nobody answers."""
