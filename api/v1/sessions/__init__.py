"""Sessions, the links that open them, and the caller's identity."""
