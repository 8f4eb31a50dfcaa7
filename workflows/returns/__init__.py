"""Workflows of revenue, allocation and trials."""
