"""Messages of decisions against fraud."""
