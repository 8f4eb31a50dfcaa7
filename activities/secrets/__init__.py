"""Activities of secrets."""
