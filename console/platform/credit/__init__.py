"""Credits: grants, lots, costs of actions."""
