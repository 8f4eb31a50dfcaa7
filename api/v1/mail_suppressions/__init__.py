"""Addresses that no mail is sent to."""
