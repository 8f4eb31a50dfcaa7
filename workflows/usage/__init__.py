"""Workflows of usage."""
