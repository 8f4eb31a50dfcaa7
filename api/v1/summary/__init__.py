"""Summary of an organization's money."""
