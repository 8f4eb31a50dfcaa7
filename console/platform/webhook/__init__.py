"""The inbox of webhooks."""
