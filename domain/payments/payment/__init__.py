"""Rules of payments: from a provider's snapshot to events, the next state and postings. Pure."""
