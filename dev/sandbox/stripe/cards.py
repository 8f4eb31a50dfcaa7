"""Test cards in use: the payment methods made from them, when their banks want to see the payer, how they decline.

A stored payment method is led back to its card by the fingerprint, which identifies the number at Stripe too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dev.sandbox.stripe.card_table import CARDS, Authentication, Card
from dev.sandbox.stripe.core import Context, Refusal

__all__ = ["CARDS", "Card"]

JSON = dict[str, Any]

_BY_NUMBER: Mapping[str, Card] = {card.number: card for card in reversed(tuple(CARDS.values()))}
_BY_FINGERPRINT: Mapping[str, Card] = {card.fingerprint: card for card in _BY_NUMBER.values()}
# The card of a method for a cash balance: no number, and no bank that could decline.
_CASH_BALANCE = Card(id="", number="", type="customer_balance")


@dataclass(frozen=True, slots=True)
class Decline:
    """A decline: an error code, and a sentence for the payer."""

    code: str
    message: str
    advice: str | None = "try_again_later"


_DECLINES: Mapping[str, Decline] = {
    "generic_decline": Decline("card_declined", "The bank declined this card."),
    "insufficient_funds": Decline("card_declined", "There is not enough money on this card's account."),
    "lost_card": Decline("card_declined", "The bank declined this card.", "do_not_try_again"),
    "stolen_card": Decline("card_declined", "The bank declined this card.", "do_not_try_again"),
    "fraudulent": Decline("card_declined", "This payment was blocked.", "do_not_try_again"),
    "card_velocity_exceeded": Decline("card_declined", "This card is over its limit."),
    "expired_card": Decline("expired_card", "This card has expired.", "do_not_try_again"),
    "incorrect_cvc": Decline("incorrect_cvc", "The security code does not fit this card.", "confirm_card_data"),
    "processing_error": Decline("processing_error", "This card could not be processed. Please try again."),
    "authentication_required": Decline(
        "authentication_required", "The bank wants the payer to confirm this payment.", "confirm_card_data"
    ),
}
_DEBIT_FAILURES: Mapping[str, Decline] = {
    "account_closed": Decline("account_closed", "The bank account has been closed.", None),
    "no_account": Decline("no_account", "There is no such bank account.", None),
    "insufficient_funds": Decline("insufficient_funds", "There is not enough money in the bank account.", None),
    "debit_not_authorized": Decline("debit_not_authorized", "The owner did not allow this debit.", None),
    "invalid_currency": Decline("invalid_currency", "The bank account cannot pay in this currency.", None),
    "charge_exceeds_source_limit": Decline("charge_exceeds_source_limit", "The week's debits are too high.", None),
    "charge_exceeds_weekly_limit": Decline("charge_exceeds_weekly_limit", "The week's debits are too many.", None),
    "generic_decline": Decline("payment_method_provider_decline", "The bank declined this debit.", None),
}


def decline(card: Card, decline_code: str) -> Decline:
    """Return the decline of this card or this bank account."""
    return (_DECLINES if card.type == "card" else _DEBIT_FAILURES)[decline_code]


def find(test_id: str) -> Card | None:
    """Return the test card behind a published id: `pm_card_…`, `tok_…` or a bank account; None for any other id."""
    if test_id in CARDS:
        return CARDS[test_id]
    if test_id.startswith("tok_"):
        return CARDS.get(f"pm_card_{test_id.removeprefix('tok_')}")
    return None


def by_number(number: str) -> Card | None:
    """Return the test card with this number, account number or IBAN, written with or without spaces."""
    return _BY_NUMBER.get(number.replace(" ", "").replace("-", "").upper())


def behind(payment_method: JSON) -> Card:
    """Return the test card that a stored payment method was made from.

    A card whose number is none of Stripe's test numbers cannot have been stored.
    """
    if payment_method["type"] == _CASH_BALANCE.type:
        return _CASH_BALANCE
    return _BY_FINGERPRINT[payment_method[payment_method["type"]]["fingerprint"]]


def payment_method(ctx: Context, test_id: str, *, billing_details: JSON | None = None) -> JSON:
    """Store a new payment method of the test card that `test_id` names, and return it.

    Each use of such an id makes another object, as at Stripe. Unknown ids are refused as missing.
    """
    card = find(test_id)
    if card is None:
        raise Refusal(
            400,
            "invalid_request_error",
            f"No such PaymentMethod: '{test_id}'",
            code="resource_missing",
            param="payment_method",
        )
    return from_card(ctx, card, billing_details=billing_details)


def from_card(
    ctx: Context,
    card: Card,
    *,
    billing_details: JSON | None = None,
    exp_month: int | None = None,
    exp_year: int | None = None,
    prefix: str = "pm",
) -> JSON:
    """Store a new payment method of this card and return it. It belongs to no customer yet."""
    stored: JSON = {
        "id": ctx.new_id(prefix),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _billing_details(billing_details or {}),
        "created": ctx.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": card.type,
        card.type: _DETAILS[card.type](card),
    }
    if card.type == "card":
        stored["card"]["exp_month"] = exp_month or 12
        stored["card"]["exp_year"] = exp_year or 2034
    ctx.store.put(stored)
    return stored


def resolve(ctx: Context, reference: str) -> JSON:
    """Return the stored payment method with this id, or a new one of the test card that the id names."""
    stored: JSON | None = ctx.store.get("payment_method", reference)
    return stored if stored is not None else payment_method(ctx, reference)


def from_data(ctx: Context, data: JSON) -> JSON:
    """Store a new payment method as its payer typed it, or by the token of a test card, and return it.

    A number that is none of Stripe's test numbers is declined, as in test mode.
    """
    kind = data["type"]
    given = data.get(kind) or {}
    token = given.get("token")
    card = find(token) if token else by_number(str(given.get(_NUMBER_FIELDS.get(kind, ""), "")))
    card = _CASH_BALANCE if kind == _CASH_BALANCE.type else card
    if card is None or card.type != kind:
        raise _unknown_number(kind, token)
    month, year = given.get("exp_month"), given.get("exp_year")
    stored = from_card(ctx, card, billing_details=data.get("billing_details"), exp_month=month, exp_year=year)
    if data.get("metadata") or data.get("allow_redisplay"):
        stored["metadata"] = dict(data.get("metadata") or {})
        stored["allow_redisplay"] = data.get("allow_redisplay", "unspecified")
        ctx.store.put(stored)
    return stored


def set_up(ctx: Context, payment_method: JSON) -> None:
    """Remember that the payer has agreed, in front of the bank, to payments without them."""
    ctx.store.put({"object": "sandbox.set_up", "id": f"{payment_method['id']}:set_up"})


def is_set_up(ctx: Context, payment_method: JSON) -> bool:
    """Return whether the payer has agreed to payments without them."""
    return ctx.store.get("sandbox.set_up", f"{payment_method['id']}:set_up") is not None


def spend(ctx: Context, payment_method: JSON) -> None:
    """Remember that a method cannot be used again: it was used without a customer, or taken from one."""
    ctx.store.put({"object": "sandbox.detached", "id": f"{payment_method['id']}:detached"})


def is_spent(ctx: Context, payment_method: JSON) -> bool:
    """Return whether a method cannot be used again."""
    return ctx.store.get("sandbox.detached", f"{payment_method['id']}:detached") is not None


def needs_authentication(ctx: Context, payment_method: JSON, *, off_session: bool = False) -> bool:
    """Return whether the bank wants to see the payer for a payment with this method."""
    wanted = behind(payment_method).authentication
    if wanted is Authentication.UNLESS_SET_UP:
        return not is_set_up(ctx, payment_method)
    if wanted is Authentication.ON_SESSION:
        return not off_session
    return wanted is Authentication.ALWAYS


_NUMBER_FIELDS = {"card": "number", "us_bank_account": "account_number", "sepa_debit": "iban"}


def _unknown_number(kind: str, token: str | None) -> Refusal:
    if kind != "card":
        return Refusal(400, "invalid_request_error", f"This is no test account of type {kind}.", param=kind)
    if token:
        message = f"No such token: '{token}'"
        return Refusal(400, "invalid_request_error", message, code="resource_missing", param="card[token]")
    return Refusal(
        402,
        "card_error",
        "The card was declined: only test cards can be used in test mode.",
        code="card_declined",
        decline_code="test_mode_live_card",
    )


def _billing_details(given: JSON) -> JSON:
    parts = ("city", "country", "line1", "line2", "postal_code", "state")
    address = given.get("address") or {}
    return {
        "address": {part: address.get(part) for part in parts},
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": given.get("tax_id"),
    }


def _card_details(card: Card) -> JSON:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None if card.postal_check == "pass" else card.postal_check,
            "cvc_check": card.cvc_check,
        },
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": card.brand != "amex"},
        "wallet": None,
    }


def _us_bank_account_details(card: Card) -> JSON:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": card.fingerprint,
        "last4": card.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }


def _sepa_debit_details(card: Card) -> JSON:
    return {
        "bank_code": card.number[4:9],
        "branch_code": "",
        "country": card.country,
        "fingerprint": card.fingerprint,
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": card.last4,
    }


def _no_details(_: Card) -> JSON:
    return {}


_DETAILS = {
    "card": _card_details,
    "us_bank_account": _us_bank_account_details,
    "sepa_debit": _sepa_debit_details,
    "customer_balance": _no_details,
}
