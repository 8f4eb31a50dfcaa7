"""Adapters of what reports usage by itself."""
