"""Usage of an organization: what was used, by what, and what it cost."""
