"""Secrets, grants, their use, their access log and rotation: what ends in one transaction."""
