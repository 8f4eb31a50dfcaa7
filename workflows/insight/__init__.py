"""Workflows of metrics, reports, exports and the search index."""
