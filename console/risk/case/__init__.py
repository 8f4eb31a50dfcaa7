"""Cases of suspected fraud, for operators."""
