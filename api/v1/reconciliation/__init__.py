"""Reconciliation: what providers say against what is booked."""
