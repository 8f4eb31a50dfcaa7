"""Spend controls and the short form of them for departments."""
