"""Messages of the workflows of secrets."""
