"""What every area needs."""
