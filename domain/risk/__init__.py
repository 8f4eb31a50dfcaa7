"""Fraud: points of decision, facts, rules, detectors, cases and scores."""
