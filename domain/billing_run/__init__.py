"""What a run of monthly invoices collects for an organization, and when."""
