"""Alerts of all organizations and of the platform."""
