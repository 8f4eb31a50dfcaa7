"""The entitlement of a part of the money: cumulative shares, so that parts add up to the whole."""

from domain.payments.payment.state import Dispute, Fulfilment, Payment, Refund


def granted_for(payment: Payment, amount_minor: int) -> int:
    """Return the entitlement of a further `amount_minor`; the sum is never more than the terms' rate gives."""
    purpose, terms = payment.terms.purpose, payment.terms
    if not terms.issues_entitlement:
        return amount_minor
    before = purpose.goods_minor * payment.received_minor // terms.amount_minor
    after = purpose.goods_minor * (payment.received_minor + amount_minor) // terms.amount_minor
    return after - before


def not_kept_minor(payment: Payment) -> int:
    """Return the money that was refunded, kept of a refund, lost or is disputed."""
    return payment.refunded_minor + payment.kept_minor + payment.disputed_minor + payment.reversed_minor


def clawed_back_minor(payment: Payment) -> int:
    """Return the entitlement that refunds, disputes and reversals have taken so far."""
    refunds = sum(refund.goods_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.goods_minor for dispute in payment.disputes if dispute.counts)
    reversals = sum(-booked.goods_minor for booked in payment.booked if booked.goods_minor < 0)
    return refunds + disputes + reversals


def restored_minor(payment: Payment, part: Refund | Dispute) -> int:
    """Return the entitlement that is released when a refund fails or a dispute is won.

    A part that waited for the escrow waits again, if that is still possible.
    """
    waits = payment.fulfilment is Fulfilment.PENDING
    return part.goods_minor - (part.waiting_minor if waits else 0)


def remaining_minor(payment: Payment) -> int:
    """Return the entitlement that is left after refunds, disputes and reversals; never below zero."""
    return max(0, payment.granted_minor - clawed_back_minor(payment))
