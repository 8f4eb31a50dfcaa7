"""Workflows of webhooks, mail, notifications and alerts."""
