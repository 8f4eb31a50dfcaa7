"""How budgets of projects are divided among their agents, night by night, and trials of agents."""
