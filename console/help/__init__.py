"""What every status means."""
