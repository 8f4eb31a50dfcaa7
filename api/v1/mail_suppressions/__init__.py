"""Suppressed mail addresses."""
