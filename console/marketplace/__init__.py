"""Agents of others: found, hired for a job, and bought."""
