"""Alerts for operators and for organizations."""
