"""Whether a payment can be fulfilled, how, and what is still awaited. Each purpose has its own rules."""

from datetime import datetime

from domain.common.errors import PaymentUnderWay
from domain.payments.payment.commands import must_be_returned
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.purposes.base import AskEscrow, Fulfil, Readiness, ReturnMoney
from domain.payments.payment.state import AWAITING, IN_FLIGHT, Fulfilment, Payment, PaymentStatus, RefundState


def readiness(payment: Payment) -> Readiness:
    """Return how far the payment is from being fulfilled."""
    if payment.fulfilment is not Fulfilment.PENDING or not payment.received_minor:
        return Readiness.NONE
    return rules_of(payment.terms).readiness(payment)


def is_ready(payment: Payment) -> bool:
    """Return whether the payment is fulfilled now."""
    return readiness(payment) is Readiness.READY


def fulfilment_due(payment: Payment) -> bool:
    """Return whether the payment is to be fulfilled now, or can never be."""
    return readiness(payment) in {Readiness.READY, Readiness.FAILED}


def refuse_concurrent_payment(other: Payment) -> None:
    """Refuse a payment beside another one of its subject that can still be paid, or whose money is being handed over.

    Raises:
        PaymentUnderWay: it is under way.
    """
    # What comes for a payment that is to be cancelled is returned.
    if other.cancel_requested or (other.status not in AWAITING and not fulfilment_due(other)):
        return
    payment_id, state = other.terms.payment_id, other.status.value
    raise PaymentUnderWay(
        f"Another payment of this {other.terms.purpose.kind.value} is under way: {payment_id}. Complete it, cancel it "
        "or wait until it has ended; then send a new request.",
        extra={"payment_id": payment_id, "state": state},
    )


def fulfil(payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:
    """Return how to fulfil the payment, or that the money is returned; `in_part` once the payer's time is over."""
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
    """Return whether too little has come, and nothing more is on its way; asked when the payer's time is over."""
    return readiness(payment) is Readiness.SHORT and not payment.seen_minor


def must_freeze_escrow(payment: Payment) -> bool:
    """Return whether an escrow has money that was or is being clawed back, and has not been frozen yet."""
    return rules_of(payment.terms).must_freeze_escrow(payment)


def is_awaited(payment: Payment) -> bool:
    """Return whether the payment still waits for the payer, the provider or the purpose."""
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
    """Return from when on something is due that only a run does; None when nothing is awaited.

    While it is the payer's turn, that is when their time is over; everything else is due at once, and so is a requested
    cancellation.
    """
    if not is_awaited(payment):
        return None
    payers_turn = {PaymentStatus.REQUIRES_ACTION, PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_CAPTURE}
    is_theirs = payment.status in payers_turn and not (payment.expiring or payment.cancel_requested)
    return payment.ends_at if is_theirs else payment.updated_at
