"""Generator of the client's derived modules."""
