"""Alerts of an organization, with what to do about each."""
