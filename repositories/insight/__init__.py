"""Statements about metrics, advice, reports and exports."""
