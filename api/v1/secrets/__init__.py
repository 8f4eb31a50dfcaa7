"""Secrets: values that are used and not seen, who may use them, and who did."""
