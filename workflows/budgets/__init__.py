"""Workflows of purchases."""
