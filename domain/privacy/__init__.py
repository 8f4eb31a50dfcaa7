"""Map of personal data, and detection of card numbers."""
