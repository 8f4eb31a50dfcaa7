"""Statements about budgets and purchases."""
