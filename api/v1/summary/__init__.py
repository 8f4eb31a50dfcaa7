"""All of an organization's money in one answer."""
