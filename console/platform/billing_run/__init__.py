"""Runs that invoice a month to every organization."""
