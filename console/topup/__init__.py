"""Buying credits: what they cost, before anything is made, and the payment that is made then."""
