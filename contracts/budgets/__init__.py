"""Messages of the workflows of purchases."""
