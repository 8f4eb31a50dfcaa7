"""Activities of usage."""
