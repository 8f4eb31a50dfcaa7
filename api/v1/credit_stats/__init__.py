"""Statistics of an organization's credits."""
