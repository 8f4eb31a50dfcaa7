"""Statements about usage, its charges and its bills."""
