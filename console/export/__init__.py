"""Exports: all rows of a period as files, of an organization or of the platform."""
