"""Sessions, the links that open them, and who is asking."""
