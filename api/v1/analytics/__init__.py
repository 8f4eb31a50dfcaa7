"""Figures, forecasts, advice and comparisons."""
