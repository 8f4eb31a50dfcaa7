"""Prices of actions in credits."""
