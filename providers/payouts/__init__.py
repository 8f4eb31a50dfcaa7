"""Payout providers: the protocol in `base`, and an adapter for Stripe Connect."""
