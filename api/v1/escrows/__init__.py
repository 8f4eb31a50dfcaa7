"""Escrows: create, fund, deliver, validate, approve, dispute, refund, cancel, and read."""
