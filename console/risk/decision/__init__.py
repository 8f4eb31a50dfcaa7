"""Decisions on acts, for operators."""
