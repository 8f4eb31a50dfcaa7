"""Workflows of cases of suspected fraud."""
