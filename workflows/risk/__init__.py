"""Workflows of decisions against fraud."""
