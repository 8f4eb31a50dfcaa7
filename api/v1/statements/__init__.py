"""Creators' monthly statements and yearly totals."""
