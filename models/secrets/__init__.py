"""Tables of secrets, grants, uses, the access log and rotation."""
