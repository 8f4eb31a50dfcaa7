"""Agents, offers, sales and prices."""
