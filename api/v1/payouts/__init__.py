"""What creators have earned, and payouts of it."""
