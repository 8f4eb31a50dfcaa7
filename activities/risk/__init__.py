"""Activities against fraud."""
