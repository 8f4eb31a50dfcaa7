"""Payments: make one, look at it, go on with it, capture, cancel, refund."""
