"""A stand-in for an outside tax service."""
