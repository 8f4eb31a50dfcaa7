"""Decisions against fraud, their rules, cases and models."""
