"""Events of payments: each state of a payment, of its refunds and of its chargebacks."""

from domain.common.money import format_amount
from domain.messages.events import (
    JSON,
    Event,
    EventType,
    amount_field,
    asset_field,
    code_field,
    enum_field,
    external_id_field,
    format_time,
    id_field,
    time_field,
)
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Dispute, Payment, PaymentStatus, Refund, RefundState
from domain.payments.payment.terms import PurposeKind

P, R, D = PaymentStatus, RefundState, DisputeStatus

_PAYMENT = {
    "payment_id": id_field("pay", "The payment."),
    "external_id": external_id_field(),
    "provider": code_field("The payment provider.", "stripe"),
    "status": enum_field("The payment's status.", P),
    "purpose": enum_field("The payment's purpose.", PurposeKind),
    "escrow_id": id_field("esc", "The escrow that it funds.", nullable=True),
    "invoice_id": id_field("inv", "The invoice that it pays.", nullable=True),
    "agent_id": id_field("agt", "The agent that it buys.", nullable=True),
    "currency": asset_field("What the amounts are in.", "USD"),
    "amount": amount_field("The amount of the payment.", "10.00"),
    "received_amount": amount_field("The amount received.", "0.00"),
    "refunded_amount": amount_field("The amount refunded, including refunds in progress.", "0.00"),
    "disputed_amount": amount_field("The amount that open and lost chargebacks hold.", "0.00"),
    "decline_code": code_field(
        "The provider's code for the decline; null if it was not declined.", "card_declined", nullable=True
    ),
}
_REFUND = {
    "refund_id": code_field(
        "The refund: our id, or the provider's if it was made there.", "rfd_01kar6x0qmf9rv4w7n2h8d3s5c"
    ),
    "payment_id": id_field("pay", "The payment that is refunded."),
    "status": enum_field("The refund's status.", R),
    "currency": asset_field("What the amount is in.", "USD"),
    "amount": amount_field("The amount of the refund.", "4.00"),
    "failure_code": code_field(
        "The provider's code for the failure; null if it did not fail.", "insufficient_funds", nullable=True
    ),
}
_CHARGEBACK = {
    "chargeback_id": id_field("dsp", "The chargeback."),
    "payment_id": id_field("pay", "The payment that is contested."),
    "status": enum_field("The chargeback's status.", D),
    "currency": asset_field("What the amount is in.", "USD"),
    "amount": amount_field("The contested amount.", "10.00"),
    "reason": code_field("The reason of the payer's bank, as the provider names it.", "fraudulent"),
    "evidence_due_at": time_field("Until when evidence can be submitted.", nullable=True),
}

#: The sentence for each state of a payment.
STATES = {
    P.CREATED: "A payment was created.",
    P.REQUIRES_ACTION: "The payer has to do something: confirm, approve, or send coins.",
    P.PROCESSING: "The payer has done their part; the money is on its way.",
    P.UNKNOWN: "The provider did not answer; the payment is being looked up there.",
    P.REQUIRES_CAPTURE: "The money is held on the payer's side, to be captured.",
    P.SUCCEEDED: "The money was received.",
    P.FAILED: "The payment was declined; no money was received.",
    P.EXPIRED: "The payment was not paid in time.",
    P.CANCELLED: "The payment was cancelled before it was paid.",
    P.PARTIALLY_REFUNDED: "A part of the money was refunded, or is about to be.",
    P.REFUNDED: "All of the money was refunded, or is about to be.",
    P.DISPUTED: "The payer's bank contests the payment; what it bought is held.",
    P.CHARGED_BACK: "A chargeback was lost; the money went back to the payer.",
}
#: The sentence for each state of a refund.
REFUND_STATES = {
    R.REQUESTED: "A refund was requested; the entitlement was taken back from the organization.",
    R.UNKNOWN: "The provider did not answer to a refund; it is being looked up there.",
    R.PENDING: "The provider has accepted the refund.",
    R.SUCCEEDED: "The money was refunded.",
    R.FAILED: "The provider did not make the refund; the entitlement was restored to the organization.",
}
#: The sentence for each state of a chargeback.
CHARGEBACK_STATES = {
    D.INQUIRY: "The payer's bank asks about a payment; no money was taken.",
    D.NEEDS_RESPONSE: "A chargeback was opened; evidence can be submitted.",
    D.UNDER_REVIEW: "The payer's bank has the evidence.",
    D.WON: "The chargeback was won; the money was returned to the platform.",
    D.LOST: "The chargeback was lost; the money went back to the payer.",
}

_RECEIVED: dict[str, JSON] = {"received_amount": "10.00"}
_SHOWN: dict[PaymentStatus, dict[str, JSON]] = {
    P.SUCCEEDED: _RECEIVED,
    P.FAILED: {"decline_code": "card_declined"},
    P.PARTIALLY_REFUNDED: {**_RECEIVED, "refunded_amount": "4.00"},
    P.REFUNDED: {**_RECEIVED, "refunded_amount": "10.00"},
    P.DISPUTED: {**_RECEIVED, "disputed_amount": "10.00"},
    P.CHARGED_BACK: {**_RECEIVED, "disputed_amount": "10.00"},
}
_CREDITS: dict[str, JSON] = dict.fromkeys(("escrow_id", "invoice_id", "agent_id", "decline_code"))

TYPES = (
    *(
        EventType(
            type=f"payment.{status}",
            sentence=sentence,
            fields=_PAYMENT,
            shown={"status": status.value, **_CREDITS, **_SHOWN.get(status, {})},
        )
        for status, sentence in STATES.items()
    ),
    *(
        EventType(
            type=f"refund.{state}",
            sentence=sentence,
            fields=_REFUND,
            shown={"status": state.value, **({} if state is R.FAILED else {"failure_code": None})},
        )
        for state, sentence in REFUND_STATES.items()
    ),
    *(
        EventType(type=f"chargeback.{status}", sentence=sentence, fields=_CHARGEBACK, shown={"status": status.value})
        for status, sentence in CHARGEBACK_STATES.items()
    ),
)


def payment_events(before: Payment | None, after: Payment) -> list[Event]:
    """Return the events of a change of a payment, its refunds and its chargebacks."""
    at, terms = after.updated_at, after.terms
    known = {refund.refund_id: refund.state for refund in before.refunds} if before else {}
    contested = {dispute.ref: dispute.status for dispute in before.disputes} if before else {}
    events = [
        Event(f"refund.{refund.state}", terms.org_id, refund.refund_id, _refund(after, refund), at)
        for refund in after.refunds
        if known.get(refund.refund_id) is not refund.state
    ]
    events += [
        Event(f"chargeback.{dispute.status}", terms.org_id, dispute.dispute_id, _chargeback(after, dispute), at)
        for dispute in after.disputes
        if contested.get(dispute.ref) is not dispute.status
    ]
    # A further decline leaves the status as it is.
    declined = after.status is P.REQUIRES_ACTION and after.decline is not None
    declined = declined and before is not None and before.decline != after.decline
    if before is None or before.status is not after.status or declined:
        events.append(Event(f"payment.{after.status}", terms.org_id, terms.payment_id, _payment(after), at))
    return events


def _payment(payment: Payment) -> dict[str, JSON]:
    terms = payment.terms
    purpose = terms.purpose
    return {
        "payment_id": terms.payment_id,
        "external_id": None,
        "provider": terms.provider,
        "status": payment.status.value,
        "purpose": purpose.kind.value,
        "escrow_id": purpose.escrow_id,
        "invoice_id": purpose.invoice_id,
        "agent_id": purpose.agent_id,
        "currency": terms.currency,
        "amount": format_amount(terms.amount_minor, terms.currency),
        "received_amount": format_amount(payment.received_minor - payment.reversed_minor, terms.currency),
        "refunded_amount": format_amount(payment.refunded_minor, terms.currency),
        "disputed_amount": format_amount(payment.disputed_minor, terms.currency),
        "decline_code": payment.decline.code if payment.decline else None,
    }


def _refund(payment: Payment, refund: Refund) -> dict[str, JSON]:
    currency = payment.terms.currency
    return {
        "refund_id": refund.refund_id,
        "payment_id": payment.terms.payment_id,
        "status": refund.state.value,
        "currency": currency,
        "amount": format_amount(refund.amount_minor, currency),
        "failure_code": refund.failure_code,
    }


def _chargeback(payment: Payment, dispute: Dispute) -> dict[str, JSON]:
    currency = payment.terms.currency
    return {
        "chargeback_id": dispute.dispute_id,
        "payment_id": payment.terms.payment_id,
        "status": dispute.status.value,
        "currency": currency,
        "amount": format_amount(dispute.amount_minor, currency),
        "reason": dispute.reason,
        "evidence_due_at": format_time(dispute.evidence_due_at),
    }
