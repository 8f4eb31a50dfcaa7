"""Alerts: their life, the rules that raise them, and who is called when nobody answers."""
