"""Stripe: cards, bank debits and hosted checkout, through the official SDK and its pinned API version."""

from providers.payments.stripe.client import Client, make_client
from providers.payments.stripe.customers import MethodView, SetupView, StripeCustomers
from providers.payments.stripe.provider import StripeProvider

__all__ = ["Client", "MethodView", "SetupView", "StripeCustomers", "StripeProvider", "make_client"]
