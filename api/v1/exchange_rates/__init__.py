"""Exchange rates that spend controls count by."""
