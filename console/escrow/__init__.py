"""Escrows: the list, one of them, and every command that may be given, for both sides and for the platform."""
