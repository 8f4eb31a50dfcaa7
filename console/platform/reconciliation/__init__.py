"""Reconciliation: runs, differences, clearing accounts."""
