"""Billing terms of organizations: operators set them, organizations read their own."""
