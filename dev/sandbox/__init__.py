"""Stand-ins for providers, for machines without an account there: real HTTP servers that the product never imports."""
