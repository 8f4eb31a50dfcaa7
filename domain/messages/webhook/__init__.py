"""Outgoing webhooks: allowed addresses (`address`), retries (`delivery`), and endpoints."""
