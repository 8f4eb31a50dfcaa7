"""Rules against fraud, for operators."""
