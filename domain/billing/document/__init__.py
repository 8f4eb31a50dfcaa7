"""Documents: the contents of invoices, receipts, credit notes and statements, and their words by language. Pure."""
