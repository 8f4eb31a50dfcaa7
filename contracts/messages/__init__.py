"""Messages of the workflows of webhooks, mail, notifications and alerts."""
