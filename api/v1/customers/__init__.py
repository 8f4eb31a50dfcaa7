"""The customer at Stripe that an organization is, and what it pays with."""
