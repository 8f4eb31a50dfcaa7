"""Where secret values are kept, what wraps their keys, and what sends requests with them."""
