"""Keys of the platform and of all organizations."""
