"""What happened to an organization's money, one row for one fact."""
