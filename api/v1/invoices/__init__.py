"""Invoices: issued and withdrawn by operators, read and paid by organizations."""
