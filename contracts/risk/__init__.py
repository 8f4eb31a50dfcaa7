"""Detectors of fraud, and cases."""
