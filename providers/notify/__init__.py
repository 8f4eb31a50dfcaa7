"""Adapters that send messages: mail, Slack and webhooks."""
