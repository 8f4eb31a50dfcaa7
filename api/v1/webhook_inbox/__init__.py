"""The inbox of webhooks, for operators."""
