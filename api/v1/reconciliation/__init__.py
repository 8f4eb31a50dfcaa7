"""Reconciliation of providers' statements with the books."""
