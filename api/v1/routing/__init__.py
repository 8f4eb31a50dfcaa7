"""Routing decisions over HTTP."""
