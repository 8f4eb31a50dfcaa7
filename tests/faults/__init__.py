"""Kills every part of the stack under load, then counts every command, every event and every minor unit."""
