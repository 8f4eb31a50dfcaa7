"""Decisions against fraud: their cases, rules and lists, for operators, and reviews for affected organizations."""
