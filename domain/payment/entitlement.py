"""How much of what was bought belongs to how much of the money: cumulative shares, so that parts add up to a whole."""

from domain.payment.state import Dispute, Fulfilment, Payment, Refund


def granted_for(payment: Payment, amount_minor: int) -> int:
    """Return the entitlement due when `amount_minor` more comes in; in sum never more than the terms' rate gives."""
    purpose, terms = payment.terms.purpose, payment.terms
    if not terms.issues_entitlement:
        return amount_minor
    before = purpose.goods_minor * payment.received_minor // terms.amount_minor
    after = purpose.goods_minor * (payment.received_minor + amount_minor) // terms.amount_minor
    return after - before


def gone_minor(payment: Payment) -> int:
    """Return what went back of the money, or is held."""
    return payment.refunded_minor + payment.disputed_minor + payment.reversed_minor


def taken(payment: Payment) -> int:
    """Return the entitlement that refunds, disputes and reversals have taken so far."""
    refunds = sum(refund.goods_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.goods_minor for dispute in payment.disputes if dispute.counts)
    reversals = sum(-booked.goods_minor for booked in payment.booked if booked.goods_minor < 0)
    return refunds + disputes + reversals


def released_minor(payment: Payment, part: Refund | Dispute) -> int:
    """Return what the organization gets when a refund fails or a dispute is won.

    What waited for the escrow waits again while it can.
    """
    waits = payment.fulfilment is Fulfilment.PENDING
    return part.goods_minor - (part.waiting_minor if waits else 0)


def held_minor(payment: Payment) -> int:
    """Return how much of what was given is left after refunds, disputes and reversals; never below zero."""
    return max(0, payment.granted_minor - taken(payment))
