"""Invoices: issued and voided by operators, read and paid by organizations."""
