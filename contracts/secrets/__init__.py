"""Messages of the workflows of secrets, grants, their use, their access log and rotation."""
