"""Exports: many rows, written into files in the background."""
