"""Rules of budgets and of what agents buy outside. Pure."""
