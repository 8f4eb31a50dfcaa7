"""Activities of purchases."""
