"""Secrets, grants, their use, their access log and rotation: the tables."""
