"""Purchases of credits: by number or package, with a stored method or on a hosted page; and their list."""
