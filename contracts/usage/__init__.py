"""Messages of the workflows of usage."""
