"""Adapters of what tells people: mail."""
