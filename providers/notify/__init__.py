"""Adapters of what tells people and programs: mail, webhooks."""
