"""What may be spent: the rules of spend controls, their calendar, and for what a request may spend."""
