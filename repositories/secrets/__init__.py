"""Statements about secrets, grants, uses, the access log and rotation."""
