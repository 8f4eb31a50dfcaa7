"""Contracts: the list, one of them, and the form that awards work, opens its escrow and funds it."""
