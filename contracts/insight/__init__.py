"""Messages of the workflows of metrics, reports, exports and the search index."""
