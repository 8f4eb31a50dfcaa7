"""Reputation: scores, ranks, feedback, and what operators report and void."""
