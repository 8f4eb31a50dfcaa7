"""Monitoring of the installation."""
