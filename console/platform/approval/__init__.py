"""Approvals that wait for a second operator."""
