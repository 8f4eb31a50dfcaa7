"""The contents and periods of monthly invoices."""
