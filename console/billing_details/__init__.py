"""Billing details: who invoices are made out to, and who gets mails about money."""
