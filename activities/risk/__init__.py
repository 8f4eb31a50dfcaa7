"""Activities of cases of suspected fraud."""
