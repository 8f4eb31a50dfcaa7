"""Reconciliation: runs, discrepancies, clearing accounts."""
