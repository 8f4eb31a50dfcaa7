"""Costs of actions in credits."""
