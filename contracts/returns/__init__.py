"""Messages of the workflows of revenue, allocation and trials."""
