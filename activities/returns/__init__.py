"""Activities of revenue, allocation and trials."""
