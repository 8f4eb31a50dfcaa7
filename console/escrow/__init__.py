"""Escrows: the list, one of them, every command that may be given, and the queues of the platform."""
