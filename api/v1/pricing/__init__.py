"""Prices and the rules that they are made by."""
