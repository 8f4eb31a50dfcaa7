"""Invoices: the list, one of them with its lines, its PDF, paying it, and what operators do with it."""
