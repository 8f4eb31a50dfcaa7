"""The web console: pages rendered on the server by a client of the API that happens to live in the same process."""
