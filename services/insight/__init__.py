"""Metrics, advice, reports and exports: what ends in one transaction."""
