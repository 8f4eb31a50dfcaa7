"""Webhooks of Stripe: signed with one of several secrets, and only hints of what to read again."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import stripe

from domain.payments.payment.snapshot import ProviderEvent
from providers.payments.base import BadSignature
from providers.payments.events import NO_EVENT, event_name
from providers.payments.stripe.fields import at

#: The fields that name other objects, as an id or as the object itself, by the `object` of an event; a dot leads into a
#: field. They are those of the API version that the SDK pins, and a test compares them with the SDK's types.
REFERENCES: Mapping[str, tuple[str, ...]] = {
    "account": (),
    "application": (),
    "balance": (),
    "bank_account": ("account", "customer"),
    "capability": ("account",),
    "card": ("account", "customer"),
    "cash_balance": ("customer",),
    "charge": ("payment_intent", "customer", "payment_method"),
    "checkout.session": ("payment_intent", "setup_intent", "subscription", "customer"),
    "customer": (),
    "customer_cash_balance_transaction": ("customer",),
    "dispute": ("payment_intent", "charge"),
    "invoice": ("parent.subscription_details.subscription", "customer"),
    "issuing.authorization": ("card", "cardholder"),
    "issuing.card": ("cardholder",),
    "issuing.cardholder": (),
    "issuing.dispute": ("transaction",),
    "issuing.transaction": ("authorization", "card", "cardholder"),
    "payment_intent": ("latest_charge", "customer", "payment_method"),
    "payment_method": ("customer",),
    "payout": (),
    "refund": ("payment_intent", "charge", "customer", "payment_method"),
    "subscription": ("customer",),
    "transfer": (),
}


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], *, tolerance_seconds: int) -> ProviderEvent:
    """Return the event when one of the secrets signed it within the tolerance of time; without a secret, none is taken.

    Raises:
        BadSignature: unsigned, signed by somebody else, too long ago or in the future; it repeats nothing of the body.
    """
    if not any(_signed(body, headers.get("stripe-signature"), secret, tolerance_seconds) for secret in secrets):
        raise BadSignature(
            "The signature matches no webhook secret in use, or its timestamp is out of tolerance.",
            code="webhook.bad_signature",
        )
    try:
        return _event(json.loads(body))
    except NO_EVENT as error:
        raise BadSignature("The signed body is not an event.", code="webhook.malformed") from error


def _signed(body: bytes, header: str | None, secret: str, tolerance_seconds: int) -> bool:
    try:
        signed = bool(stripe.WebhookSignature.verify_header(body, header, secret, tolerance_seconds))
        # Stripe's library looks at the past only.
        return signed and _signed_at(header or "") <= time.time() + tolerance_seconds
    except (stripe.SignatureVerificationError, TypeError, ValueError):  # the latter two: bytes that are no text
        return False


def _signed_at(header: str) -> int:
    return next(int(value) for name, _, value in (part.partition("=") for part in header.split(",")) if name == "t")


def _event(payload: dict[str, Any]) -> ProviderEvent:
    thing = payload["data"]["object"]
    # A method that was detached names the customer that it was of here only.
    before = payload["data"].get("previous_attributes") or {}
    return ProviderEvent(
        event_id=event_name(payload, "id"),
        type=event_name(payload, "type"),
        occurred_at=at(int(payload["created"])),
        payment_id=_payment_id(thing),
        refs=tuple(
            dict.fromkeys(
                (*_refs(thing), *_group(thing), *_refs({**before, "object": thing.get("object")}), *_account(payload))
            )
        ),
        livemode=bool(payload["livemode"]),
        payload=payload,
    )


def _account(payload: dict[str, Any]) -> Iterator[str]:
    """Name the connected account to which something has happened; what happened to the platform names none."""
    account = payload.get("account")
    if isinstance(account, str):
        yield account


def _group(thing: dict[str, Any]) -> Iterator[str]:
    """Name the payout that a transfer is: its group, as `providers.payouts.stripe` makes it."""
    group = thing.get("transfer_group")
    if thing.get("object") == "transfer" and isinstance(group, str):
        yield group


def _payment_id(thing: dict[str, Any]) -> str | None:
    for holder in (thing, *_named(thing)):
        metadata = holder.get("metadata") if isinstance(holder, dict) else None
        if isinstance(metadata, dict) and isinstance(metadata.get("payment_id"), str):
            return str(metadata["payment_id"])
    return None


def _refs(thing: dict[str, Any]) -> Iterator[str]:
    for value in (thing.get("id"), *_named(thing)):
        ref = value.get("id") if isinstance(value, dict) else value
        if isinstance(ref, str):
            yield ref


def _named(thing: dict[str, Any]) -> Iterator[object]:
    for path in REFERENCES.get(str(thing.get("object")), ()):
        value: object = thing
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        yield value
