"""Rules of budgets and of external purchases. Pure."""
