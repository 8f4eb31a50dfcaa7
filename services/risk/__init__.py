"""Decisions against fraud in the transaction of an act, and the cases that they open."""
