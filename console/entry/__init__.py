"""Signing in and out, and entering by a link."""
