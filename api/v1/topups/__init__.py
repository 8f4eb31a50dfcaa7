"""Buying credits: by number, in packages, with a stored method or on a hosted page; and what was bought so far."""
