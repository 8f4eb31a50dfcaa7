"""Contracts and escrows."""
