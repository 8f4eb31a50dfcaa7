"""Payout providers: a protocol in `base`, and an adapter for Stripe Connect."""
