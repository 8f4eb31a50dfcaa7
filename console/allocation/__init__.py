"""Days' budgets of projects, divided among their agents, and trials of agents."""
