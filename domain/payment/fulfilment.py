"""Whether the money of a payment can be handed to the escrow or invoice that it is for.

An escrow takes the whole price or nothing. An invoice takes a part as well, once the provider says that this is all.
"""

from enum import StrEnum

from domain.errors import Conflict
from domain.payment.snapshot import DisputeStatus, ProviderStatus
from domain.payment.state import HANDED_OVER, Fulfilment, Payment, RefundState
from domain.payment.terms import PurposeKind


class NotPaid(Conflict):
    """The payment's money is not there for an escrow; `extra["state"]` names the state of what refuses."""

    code = "payment.not_paid"


class Readiness(StrEnum):
    """How far the money is from its escrow or invoice.

    Attributes:
        NONE: nothing is to be handed over: it was, it never will be, or nothing came.
        SHORT: too little came so far.
        WAITS: enough came, and a refund or dispute that is under way decides whether enough of it stays.
        READY: it is handed over now.
        FAILED: so much went back for good that it never will be.
    """

    NONE = "none"
    SHORT = "short"
    WAITS = "waits"
    READY = "ready"
    FAILED = "failed"


def readiness(payment: Payment) -> Readiness:
    """Say how far the money is from its escrow or invoice.

    Terms of before `fulfils_net` hand over what was received, whatever went back since.
    """
    terms = payment.terms
    if terms.purpose.kind not in HANDED_OVER or payment.fulfilment is not Fulfilment.PENDING:
        return Readiness.NONE
    if not payment.received_minor:
        return Readiness.NONE
    invoiced, net = terms.purpose.kind is PurposeKind.INVOICE, payment.received_minor - payment.reversed_minor
    complete = invoiced and payment.provider_status is ProviderStatus.SUCCEEDED
    if net < terms.amount_minor and not (net > 0 and complete):
        return Readiness.SHORT
    if not terms.fulfils_net:
        return Readiness.READY
    wanted = 1 if invoiced else terms.amount_minor
    disputed = any(dispute.counts for dispute in payment.disputes) and not invoiced
    if net - payment.refunded_minor - payment.disputed_minor >= wanted and not disputed:
        return Readiness.READY
    lost = [dispute.amount_minor for dispute in payment.disputes if dispute.status is DisputeStatus.LOST]
    gone = sum(refund.amount_minor for refund in payment.refunds if refund.state is RefundState.SUCCEEDED) + sum(lost)
    failed = net - gone < wanted or (lost and not invoiced)
    return Readiness.FAILED if failed else Readiness.WAITS


def is_ready(payment: Payment) -> bool:
    """Tell whether the money is handed over now."""
    return readiness(payment) is Readiness.READY


def is_reserved(payment: Payment, escrow_id: str) -> bool:
    """Tell whether the escrow may take the money: it is asked to, and nothing else has become of the money since.

    Payments of before do not always note that they ask.
    """
    terms = payment.terms
    asked = payment.fulfilling or not terms.takes_waiting_first
    return terms.purpose.escrow_id == escrow_id and payment.fulfilment is Fulfilment.PENDING and asked


def fulfilment_due(payment: Payment) -> bool:
    """Tell whether the money is to be handed over now, or can never be."""
    return readiness(payment) in {Readiness.READY, Readiness.FAILED}


def falls_short(payment: Payment) -> bool:
    """Tell whether too little has come, and nothing more is on its way; asked when the payer's time is over."""
    return readiness(payment) is Readiness.SHORT and not payment.seen_minor


def is_left_nothing(payment: Payment) -> bool:
    """Tell whether all that came went back, so that nothing is left to hand over."""
    return payment.terms.fulfils_net and not payment.refundable_minor
