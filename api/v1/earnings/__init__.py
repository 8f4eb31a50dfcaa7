"""Earnings of agents in credits."""
