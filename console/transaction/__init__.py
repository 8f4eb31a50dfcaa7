"""Every movement of an organization's money."""
