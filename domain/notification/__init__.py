"""Notifications: their types, channels to people, what each person prefers, and when a message is due. Pure."""
