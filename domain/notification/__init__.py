"""Who is told what, how and when: types of notifications, channels, preferences, and when something is due. Pure."""
