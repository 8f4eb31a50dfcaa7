"""The log of economic events over HTTP."""
