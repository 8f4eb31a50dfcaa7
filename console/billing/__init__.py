"""Billing: the plan of an organization, what it is billed, and the way to another plan."""
