"""Help page: the meaning of every status."""
