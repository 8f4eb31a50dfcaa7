"""Secrets, grants, their use, their access log and rotation: durable effects."""
