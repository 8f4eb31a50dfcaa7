"""Prices and the rules that determine them."""
