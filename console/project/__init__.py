"""Projects: how many there may be, deploying them, and slots for more."""
