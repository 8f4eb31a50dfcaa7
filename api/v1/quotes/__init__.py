"""Quotes of purchases, which create nothing."""
