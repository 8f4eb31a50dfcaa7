"""Backends of secret values, key wrappers, rotators, and requests with secrets."""
