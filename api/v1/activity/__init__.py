"""Activity of an organization: one row for each fact."""
