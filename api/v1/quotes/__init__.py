"""Quotes of purchases."""
