"""Modules that all areas share."""
