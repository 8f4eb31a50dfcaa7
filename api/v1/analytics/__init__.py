"""Metrics, forecasts, advice and peers."""
