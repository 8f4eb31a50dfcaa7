"""Alert rules: which figures are watched, and when they raise an alert."""
