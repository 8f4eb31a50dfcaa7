"""Processes that wait, one file each."""
