"""Billing terms of organizations: operators agree them, organizations read theirs."""
