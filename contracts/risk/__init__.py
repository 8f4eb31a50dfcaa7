"""Messages of decisions against fraud and of their cases."""
