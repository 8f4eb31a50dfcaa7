"""What waits for a second operator."""
