"""The one item of a subscription at Stripe, and its price: as it is read, and as it is asked for."""

from datetime import datetime
from typing import Any

import stripe

from domain.billing.subscription.state import Terms
from providers.payments.base import ProviderRefused
from providers.payments.stripe.amounts import to_stripe
from providers.payments.stripe.fields import field, id_of


def lookup_key(terms: Terms) -> str:
    """Return the key by which the price that was made for terms is found."""
    return f"bursar:{terms.plan}:{terms.interval.value}:{terms.unit_minor}:{terms.currency}"


def is_other_price(price: stripe.Price, terms: Terms) -> bool:
    """Return whether a price is inactive, or for another amount, currency or interval than one unit of the terms."""
    recurring = field(price, "recurring")
    has = (
        price.unit_amount,
        price.currency.upper(),
        field(recurring, "interval"),
        field(recurring, "interval_count"),
        bool(price.active),
    )
    return has != (to_stripe(terms.unit_minor, terms.currency), terms.currency, terms.interval.value, 1, True)


def proration_start(held: stripe.Subscription, interval: str, at: datetime) -> dict[str, Any]:
    """Return what a change is counted from: a trial that ends, a period that begins anew, or a moment of this one."""
    if held.status == "trialing":
        return {"trial_end": "now"}
    item = item_of(held)
    if field(field(item.price, "recurring"), "interval") != interval:
        return {}
    return {"proration_date": int(at.timestamp())}


def item_of(subscription: stripe.Subscription) -> Any:
    """Return the one item.

    Raises:
        ProviderRefused: `subscription.items`, there is not exactly one.
    """
    # `items` is also a method of the SDK's objects.
    found = subscription["items"].data
    if len(found) != 1:
        raise ProviderRefused("This subscription has not exactly one item.", code="subscription.items")
    return found[0]


def unchanged_item(found: stripe.Subscription) -> dict[str, Any]:
    """Return the parameters of an item that stays as it is."""
    item = item_of(found)
    return {"id": item.id, "quantity": item.quantity}


def price_copy(price: stripe.Price) -> dict[str, Any]:
    """Return the parameters of a price like this one, which may be archived."""
    recurring = field(price, "recurring")
    return {
        "currency": price.currency,
        "product": id_of(price.product),
        "recurring": {name: field(recurring, name) for name in ("interval", "interval_count")},
        "unit_amount": price.unit_amount,
    }
