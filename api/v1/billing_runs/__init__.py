"""Runs of monthly invoices, items that they charge once, and the invoice to come."""
