"""The first page: all of an organization's money."""
