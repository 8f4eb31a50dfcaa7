"""Fields read from Stripe's events exist in the types of the SDK, whose API version may move them."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import stripe
from stripe._object_classes import OBJECT_CLASSES

from domain.payments.payment.event_types import HANDLED_BY_RUN, handling_of
from providers.payments.stripe.webhooks import REFERENCES

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "providers" / "stripe.md"
#: By the beginning of an event's type, the longest first: the objects that it is about.
OBJECTS = {
    "account.application.": ("application",),
    "account.external_account.": ("bank_account", "card"),
    "account.": ("account",),
    "balance.": ("balance",),
    "capability.": ("capability",),
    "cash_balance.": ("cash_balance",),
    "charge.dispute.": ("dispute",),
    "charge.refund.": ("refund",),
    "charge.": ("charge",),
    "checkout.session.": ("checkout.session",),
    "customer.subscription.": ("subscription",),
    "customer.updated": ("customer",),
    "customer_cash_balance_transaction.": ("customer_cash_balance_transaction",),
    "invoice.": ("invoice",),
    "issuing_authorization.": ("issuing.authorization",),
    "issuing_card.": ("issuing.card",),
    "issuing_cardholder.": ("issuing.cardholder",),
    "issuing_dispute.": ("issuing.dispute",),
    "issuing_transaction.": ("issuing.transaction",),
    "payment_intent.": ("payment_intent",),
    "payment_method.": ("payment_method",),
    "payout.": ("payout",),
    "refund.": ("refund",),
    "transfer.": ("transfer",),
}


def sdk_types() -> set[str]:
    return {name for name in words(stripe.Event.__annotations__["type"]) if "." in name}


def words(annotation: Any) -> Iterator[str]:
    for each in get_args(annotation):
        if isinstance(each, str):
            yield each
        else:
            yield from words(each)


def read_types() -> list[str]:
    return sorted(name for name in sdk_types() if handling_of("stripe", name) in HANDLED_BY_RUN)


def classes(annotation: Any) -> Iterator[type]:
    """Return the SDK's classes that a field may hold."""
    for each in get_args(annotation):
        if isinstance(each, type) and issubclass(each, stripe.StripeObject):
            yield each
        yield from classes(each)


def has_field(of: type, path: str) -> bool:
    name, _, rest = path.partition(".")
    found = of.__annotations__.get(name)
    return found is not None and (not rest or any(has_field(each, rest) for each in classes(found)))


@pytest.mark.parametrize("event_type", read_types())
def test_fields_of_an_event_that_is_read_are_those_of_the_sdk(event_type: str) -> None:
    names = next(names for beginning, names in OBJECTS.items() if event_type.startswith(beginning))
    for name in names:
        module, of = OBJECT_CLASSES[name]
        thing = getattr(importlib.import_module(module), of)
        assert [path for path in REFERENCES[name] if not has_field(thing, path)] == []


def test_field_that_moved_is_noticed() -> None:
    assert has_field(stripe.Invoice, "parent.subscription_details.subscription")
    assert not has_field(stripe.Invoice, "subscription")


def test_types_of_the_guide_are_types_of_the_sdk_and_go_where_it_says() -> None:
    table = GUIDE.read_text().partition("## Events to subscribe")[2].partition("\n- ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    named = {name: goes_to.strip() for types, goes_to in rows for name in re.findall(r"`([a-z_.]+)`", types)}
    assert len(named) > 40
    assert set(named) <= sdk_types()
    assert {name: handling_of("stripe", name).value for name in named} == named
