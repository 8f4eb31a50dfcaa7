"""Notifications of the reader: inbox, channels, and preferences by type and channel."""
