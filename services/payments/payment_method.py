"""Stored payment methods of organizations."""

from datetime import datetime

from domain.common.errors import PaymentMethodExpired, PaymentMethodUnknown, PaymentNoMethod
from providers.payments.registry import Providers
from services.common.provider_errors import provider_errors


async def default_method(providers: Providers, customer: str | None) -> str:
    """Return a customer's default payment method at Stripe, or its only one. No transaction may be open."""
    stored = providers.customers
    if customer is not None and stored is not None:
        with provider_errors():
            methods = await stored.methods(customer)
        default = next((method.id for method in methods if method.is_default), None)
        if default is not None or len(methods) == 1:
            return default or methods[0].id
    raise PaymentNoMethod("The organization has no default payment method.")


async def stored_method(providers: Providers, customer: str | None, method: str, *, now: datetime) -> str:
    """Return a customer's stored payment method that can be charged later. No transaction may be open.

    Without a provider of stored methods nothing is checked, and nothing can be charged.
    """
    stored = providers.customers
    if stored is None:
        return method
    found = None
    if customer is not None:
        with provider_errors():
            found = next((each for each in await stored.methods(customer) if each.id == method), None)
    if found is None:
        raise PaymentMethodUnknown(
            "The organization has not stored this payment method. Add it first, or leave payment_method out.",
            extra={"field": "payment_method"},
        )
    if found.exp_year is not None and (found.exp_year, found.exp_month or 12) < (now.year, now.month):
        raise PaymentMethodExpired(
            "This card has expired. Choose another payment method.", extra={"field": "payment_method"}
        )
    return method
