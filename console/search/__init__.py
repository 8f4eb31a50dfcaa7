"""Finding what a text names."""
