"""Tables of budgets and purchases."""
