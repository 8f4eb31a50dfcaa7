"""Handling of a provider's events, by type. Types that are not listed are ignored.

An event only says that something changed; the new state is then read from the provider. So where several types report
one change, one of them is enough: `payment_intent.succeeded` reports that a card payment succeeded, and
`charge.succeeded` and `payment_intent.created` would only cause another read.

Sources of the names: docs.stripe.com/api/events/types, developer.paypal.com/api/rest/webhooks/event-names.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Handling(StrEnum):
    """Handling of an event."""

    PAYMENT = "payment"  # refresh its payment
    METHOD = "method"  # record it in the audit trail, and refresh the payment methods
    CASH = "cash"  # read unused cash at the provider, and alert operators
    CREATOR = "creator"  # refresh the payout account, or the payout
    SUBSCRIPTION = "subscription"  # refresh its subscription
    CARD = "card"  # refresh the card's authorization, transaction or dispute
    FUNDS = "funds"  # retry payouts that wait for the platform's balance
    IGNORED = "ignored"  # only stored


_P, _M, _C = Handling.PAYMENT, Handling.METHOD, Handling.CASH
_K, _S, _F = Handling.CREATOR, Handling.SUBSCRIPTION, Handling.FUNDS
_CARD = Handling.CARD

#: Events that start a run; the others are only stored.
HANDLED_BY_RUN = frozenset({_P, _M, _C, _K, _S, _F, _CARD})

#: The only handled event about a transfer: an operator has reversed one at the provider, bypassing Bursar.
TRANSFER_REVERSED = "transfer.reversed"

#: By provider: the type, or its prefix up to a dot.
_TABLE: Mapping[str, Mapping[str, Handling]] = {
    "stripe": {
        "checkout.session.": _P,
        "payment_intent.amount_capturable_updated": _P,
        "payment_intent.canceled": _P,
        "payment_intent.partially_funded": _P,
        "payment_intent.payment_failed": _P,
        "payment_intent.processing": _P,
        "payment_intent.requires_action": _P,
        "payment_intent.succeeded": _P,
        "charge.captured": _P,
        "charge.expired": _P,
        "charge.refunded": _P,
        "charge.updated": _P,
        "charge.dispute.": _P,
        "charge.refund.": _P,
        "refund.": _P,
        "customer.updated": _M,
        "payment_method.attached": _M,
        "payment_method.detached": _M,
        "cash_balance.": _C,
        "customer_cash_balance_transaction.": _C,
        "account.": _K,
        "balance.available": _F,
        "capability.updated": _K,
        "payout.failed": _K,
        TRANSFER_REVERSED: _K,
        "customer.subscription.": _S,
        "invoice.finalized": _S,
        "invoice.marked_uncollectible": _S,
        "invoice.paid": _S,
        "invoice.payment_action_required": _S,
        "invoice.payment_failed": _S,
        "invoice.payment_succeeded": _S,
        "invoice.voided": _S,
        # Not `.request`, which asks for a decision and changes nothing.
        "issuing_authorization.created": _CARD,
        "issuing_authorization.updated": _CARD,
        "issuing_card.updated": _CARD,
        "issuing_dispute.": _CARD,
        "issuing_transaction.": _CARD,
    },
    "paypal": {
        "CHECKOUT.ORDER.": _P,
        "CHECKOUT.PAYMENT-APPROVAL.": _P,
        "CUSTOMER.DISPUTE.": _P,
        "PAYMENT.AUTHORIZATION.": _P,
        "PAYMENT.CAPTURE.": _P,
        "PAYMENT.REFUND.": _P,
    },
}


def changes_default_method(event_type: str, before: Mapping[str, Any]) -> bool:
    """Return whether an event may have changed a customer's default payment method.

    Args:
        event_type: the type; `customer.updated` is sent for any change of a customer.
        before: the previous values of the changed fields, as in the event.
    """
    if event_type != "customer.updated":
        return True
    return "default_payment_method" in (before.get("invoice_settings") or {})


def currencies_available(balance: object) -> frozenset[str]:
    """Return the currencies with an available amount in a Stripe balance object, in upper case.

    Entries of another form are skipped.
    """
    amounts = balance.get("available") if isinstance(balance, dict) else None
    found = [each for each in amounts if isinstance(each, dict)] if isinstance(amounts, list) else []
    return frozenset(
        currency.upper()
        for currency, amount in ((each.get("currency"), each.get("amount")) for each in found)
        if isinstance(currency, str) and isinstance(amount, int) and amount > 0
    )


def handling_of(provider: str, event_type: str) -> Handling:
    """Return how to handle an event of this type."""
    for known, handling in _TABLE.get(provider, {}).items():
        if event_type == known or (known.endswith(".") and event_type.startswith(known)):
            return handling
    return Handling.IGNORED
