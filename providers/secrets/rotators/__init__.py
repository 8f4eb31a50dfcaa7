"""Rotators, which replace a secret's value at its target."""
