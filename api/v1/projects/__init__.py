"""Projects, their deployments, and the slots for them."""
