"""Workflows against fraud."""
