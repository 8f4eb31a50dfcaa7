"""Notifications: types, channels, preferences, and when a message is due. Pure."""
