"""Metrics, forecasts, advice, reports and exports. Pure."""
