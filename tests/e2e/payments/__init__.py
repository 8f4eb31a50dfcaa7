"""Payments of every provider on the running stack, with actions of payers, banks and networks."""
