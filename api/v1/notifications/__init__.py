"""Notifications: the inbox, channels and preferences of the caller."""
