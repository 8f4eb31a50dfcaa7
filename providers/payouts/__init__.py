"""Who pays creators: a protocol in `base`, and an adapter for Stripe Connect."""
