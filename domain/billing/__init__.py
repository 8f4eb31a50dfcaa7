"""Plans, invoices, tax and projects."""
