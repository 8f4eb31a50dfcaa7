"""Webhooks of Stripe: signed with one of several secrets, and only used as hints to refresh objects."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import stripe

from domain.payments.payment.snapshot import ProviderEvent
from providers.payments.base import BadSignature
from providers.payments.events import NO_EVENT, event_name
from providers.payments.stripe.fields import at

#: Fields with other objects, as ids or expanded, by the type of the event's object; a dot separates nested fields. They
#: are those of the SDK's API version; a test compares them with the SDK's types.
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
    """Return the event if one of the secrets signed it within the time tolerance; without secrets, refuse all.

    Raises:
        BadSignature: unsigned, signed with another secret, too old or in the future; it quotes nothing of the body.
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
        # Stripe's library checks the past only.
        return signed and _signed_at(header or "") <= time.time() + tolerance_seconds
    except (stripe.SignatureVerificationError, TypeError, ValueError):  # the latter two: bytes that are not text
        return False


def _signed_at(header: str) -> int:
    return next(int(value) for name, _, value in (part.partition("=") for part in header.split(",")) if name == "t")


def _event(payload: dict[str, Any]) -> ProviderEvent:
    thing = payload["data"]["object"]
    # Only here a detached method names its former customer.
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
    """Return the connected account of the event; None for the platform's own account."""
    account = payload.get("account")
    if isinstance(account, str):
        yield account


def _group(thing: dict[str, Any]) -> Iterator[str]:
    """Return the payout of a transfer: its group, as set by `providers.payouts.stripe`."""
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
