"""Workflows of secrets, grants, their use, their access log and rotation."""
