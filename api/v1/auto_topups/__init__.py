"""Automatic top-ups of credits when the balance falls below a threshold."""
