"""Webhook endpoints of an organization: where its events are sent, and their deliveries."""
