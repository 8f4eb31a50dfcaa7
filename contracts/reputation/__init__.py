"""Evidence and scores."""
