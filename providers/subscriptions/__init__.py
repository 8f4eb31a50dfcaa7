"""Adapters of whoever collects what a subscription costs, behind one protocol."""
