"""The handling of a provider's events, by type. Types that are not listed here are ignored.

An event only says that something changed; the new state is then read from the provider. So if several types report one
change, one of them is enough: `payment_intent.succeeded` reports that a card payment succeeded, and
`charge.succeeded` and `payment_intent.created` would only cause another read.

Sources of the names: docs.stripe.com/api/events/types, developer.paypal.com/api/rest/webhooks/event-names.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Handling(StrEnum):
    """What is done with an event."""

    PAYMENT = "payment"  # its payment looks at the provider
    METHOD = "method"  # the organization's audit trail has it, and its payment methods are read again
    CASH = "cash"  # what the organization has there and no payment has used is read, and operators get an alert
    CREATOR = "creator"  # the account of the organization that is paid out is read again, or its payout
    SUBSCRIPTION = "subscription"  # its subscription looks at the provider
    CARD = "card"  # the card's authorization, transaction or dispute is read again
    FUNDS = "funds"  # payouts that wait for the platform's balance at the provider are tried again
    IGNORED = "ignored"  # stored, nothing depends on it


_P, _M, _C = Handling.PAYMENT, Handling.METHOD, Handling.CASH
_K, _S, _F = Handling.CREATOR, Handling.SUBSCRIPTION, Handling.FUNDS
_CARD = Handling.CARD

#: What a run is started for; the others are only stored.
HANDLED_BY_RUN = frozenset({_P, _M, _C, _K, _S, _F, _CARD})

#: The one event about a transfer that matters: operators can reverse one at the provider, past Bursar.
TRANSFER_REVERSED = "transfer.reversed"

#: By provider: the type, or the beginning of one that ends with a dot.
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
        # Not `.request`: that is the question, which is answered and changes nothing by itself.
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
    """Return whether an event about a payment method can have changed what a customer pays with.

    Args:
        event_type: the type; `customer.updated` is sent for any change of a customer, most of them irrelevant here.
        before: the previous values of the changed fields, as in the event.
    """
    if event_type != "customer.updated":
        return True
    return "default_payment_method" in (before.get("invoice_settings") or {})


def currencies_available(balance: object) -> frozenset[str]:
    """Return the currencies of which there is anything available, in capital letters, by a balance as Stripe writes it.

    What is written in another way names none.
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
