"""Statements about results, revenue, allocation and routing."""
