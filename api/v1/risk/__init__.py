"""Decisions against fraud: rules, lists, decisions and cases."""
