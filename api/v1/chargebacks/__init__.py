"""Chargebacks of payments: read, and submit evidence. Disputes about work belong to escrows."""
