"""What creators earned in a month, and what they were paid in a year."""
