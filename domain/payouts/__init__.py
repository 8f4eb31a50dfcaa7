"""Earnings, and money that goes out."""
