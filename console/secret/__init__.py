"""Secrets of an organization, who may use them, and who did."""
