"""Workflows of secrets."""
