"""Activities of decisions against fraud: what follows from acts, cases, detectors and models."""
