"""Fulfilment of a payment by the rules of its purpose, and the conditions that it waits for."""

from datetime import datetime

from domain.common.errors import PaymentUnderWay
from domain.payments.payment.commands import must_be_returned
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.purposes.base import AskEscrow, Fulfil, Readiness, ReturnMoney
from domain.payments.payment.state import AWAITING, IN_FLIGHT, Fulfilment, Payment, PaymentStatus, RefundState


def readiness(payment: Payment) -> Readiness:
    """Return whether the payment can be fulfilled now, later or never."""
    if payment.fulfilment is not Fulfilment.PENDING or not payment.received_minor:
        return Readiness.NONE
    return rules_of(payment.terms).readiness(payment)


def is_ready(payment: Payment) -> bool:
    """Return whether the payment can be fulfilled now."""
    return readiness(payment) is Readiness.READY


def fulfilment_due(payment: Payment) -> bool:
    """Return whether the payment is to be fulfilled now, or its money returned because it never can be."""
    return readiness(payment) in {Readiness.READY, Readiness.FAILED}


def refuse_concurrent_payment(other: Payment) -> None:
    """Refuse a second payment for a subject while `other` can still be paid or is being fulfilled.

    Raises:
        PaymentUnderWay: `other` is under way.
    """
    # Money received for a payment that will be cancelled is returned.
    if other.cancel_requested or (other.status not in AWAITING and not fulfilment_due(other)):
        return
    payment_id, state = other.terms.payment_id, other.status.value
    raise PaymentUnderWay(
        f"Another payment of this {other.terms.purpose.kind.value} is under way: {payment_id}. Complete it, cancel it "
        "or wait until it has ended; then send a new request.",
        extra={"payment_id": payment_id, "state": state},
    )


def fulfil(payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:
    """Return how to fulfil the payment, or that its money is returned; `in_part`: the payer's deadline has passed."""
    keeps_part = in_part and not payment.terms.refundable
    if payment.cancel_requested and not (keeps_part or payment.fulfilling):
        return ReturnMoney(failed=True, why="it was cancelled")
    way = rules_of(payment.terms).fulfil(payment, at=at, in_part=in_part)
    if isinstance(way, AskEscrow):
        return way
    if readiness(payment) is Readiness.FAILED or (in_part and not payment.refundable_minor):
        return ReturnMoney(failed=True)
    return way


def is_underpaid(payment: Payment) -> bool:
    """Return whether too little was received and nothing more is on its way; called after the payer's deadline."""
    return readiness(payment) is Readiness.SHORT and not payment.seen_minor


def must_freeze_escrow(payment: Payment) -> bool:
    """Return whether an escrow that holds clawed-back or disputed money is not frozen yet."""
    return rules_of(payment.terms).must_freeze_escrow(payment)


def is_awaited(payment: Payment) -> bool:
    """Return whether something is still awaited from the payer, the provider or the purpose."""
    if payment.status in AWAITING or payment.unknown or any(booked.fee_minor is None for booked in payment.booked):
        return True
    if (payment.received_minor and payment.fulfilment is Fulfilment.PENDING) or must_be_returned(payment):
        return True
    unsettled = any(
        refund.state in {*IN_FLIGHT, RefundState.PENDING} or (refund.counts and not refund.moved_minor)
        for refund in payment.refunds
    )
    return unsettled or must_freeze_escrow(payment) or any(dispute.is_open for dispute in payment.disputes)


def wake_at(payment: Payment) -> datetime | None:
    """Return the time from which the payment needs a workflow run; None when nothing is awaited.

    While only the payer can act, this is the payer's deadline. Everything else, also a requested cancellation, is due
    immediately.
    """
    if not is_awaited(payment):
        return None
    payers_turn = {PaymentStatus.REQUIRES_ACTION, PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_CAPTURE}
    is_theirs = payment.status in payers_turn and not (payment.expiring or payment.cancel_requested)
    return payment.ends_at if is_theirs else payment.updated_at
