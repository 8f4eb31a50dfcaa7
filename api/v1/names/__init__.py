"""Names of objects by their ids."""
