"""Alerts: states, rules that raise them, and escalation."""
