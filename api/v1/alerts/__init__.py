"""Alerts for operators."""
