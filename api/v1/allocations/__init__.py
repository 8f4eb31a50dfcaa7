"""Nightly allocation of projects' budgets to agents, and trials of agents."""
