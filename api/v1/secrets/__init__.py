"""Secrets: values that are used without being shown, their grants, and the log of access."""
