"""The platform's books."""
