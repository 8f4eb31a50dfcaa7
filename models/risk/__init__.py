"""Tables of decisions against fraud, their counters, rules, cases and models."""
