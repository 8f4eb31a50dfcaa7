"""Benchmarks of the product's targets, as ratios measured side by side in one run; never a test."""
