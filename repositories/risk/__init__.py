"""Statements about decisions against fraud, their counters, rules, cases and models."""
