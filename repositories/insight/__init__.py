"""Statements about metrics, advice, reports, exports and the search index."""
