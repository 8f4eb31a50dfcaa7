"""The audit trail of the platform."""
