"""Adapters of sources of usage."""
