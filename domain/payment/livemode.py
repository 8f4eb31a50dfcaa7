"""Tells accounts at providers that move real money from those for tests."""

from urllib.parse import urlsplit

_PAYPAL = frozenset({"api.paypal.com", "api-m.paypal.com"})


def stripe_is_live(key: str) -> bool:
    """Tell whether a secret or restricted key of Stripe moves real money: `sk_live_…`, `rk_live_…`."""
    return "_live_" in key


def paypal_is_live(address: str) -> bool:
    """Tell whether an address is that of PayPal itself; whether keys are live is not to be seen in them."""
    return urlsplit(address).hostname in _PAYPAL
