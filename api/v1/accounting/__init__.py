"""Reports on the books for accountants."""
