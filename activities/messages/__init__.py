"""Activities of webhooks, mail, notifications and alerts."""
