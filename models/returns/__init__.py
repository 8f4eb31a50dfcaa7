"""Tables of results, revenue, allocation and routing."""
