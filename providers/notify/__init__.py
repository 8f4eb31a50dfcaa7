"""Adapters of what tells people and programs: mail, Slack, webhooks."""
