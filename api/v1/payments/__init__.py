"""Payments: create, read, confirm, capture, cancel, refund."""
