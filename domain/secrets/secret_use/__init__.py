"""Use of a secret without seeing it: the request, the placement of the value, the response."""
