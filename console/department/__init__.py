"""Departments of an organization, and for which of them keys spend."""
