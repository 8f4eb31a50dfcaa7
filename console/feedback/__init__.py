"""The rating of a settled job: given by its client, read by both parties."""
