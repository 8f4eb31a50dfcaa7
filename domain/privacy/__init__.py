"""The map of personal data, and the check that keeps card numbers out."""
