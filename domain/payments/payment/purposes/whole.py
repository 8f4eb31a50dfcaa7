"""Purposes that take the whole amount or nothing: the money waits on the payment's own account until it is complete.

Earlier refunds are taken from there, and the rest is returned once the amount can no longer be complete.
"""

from domain.payments.payment.purposes.base import CommonRules, Readiness
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Fulfilment, Payment, RefundState


class WholeAmountRules(CommonRules):
    """Rules of a purpose that is fulfilled with the whole amount."""

    at_once = False

    def readiness(self, payment: Payment) -> Readiness:
        """Wait for the whole amount, and for the end of refunds and disputes."""
        amount, net = payment.terms.amount_minor, payment.received_minor - payment.reversed_minor
        if net < amount:
            return Readiness.SHORT
        disputed = any(dispute.counts for dispute in payment.disputes)
        if net - payment.refunded_minor - payment.disputed_minor >= amount and not disputed:
            return Readiness.READY
        lost = any(dispute.status is DisputeStatus.LOST for dispute in payment.disputes)
        refunded = sum(refund.amount_minor for refund in payment.refunds if refund.state is RefundState.SUCCEEDED)
        return Readiness.FAILED if lost or net - refunded < amount else Readiness.WAITS

    def waiting_minor(self, payment: Payment) -> int:
        """Return the amount that waits for fulfilment; 0 while refunds are taken from the organization."""
        return self.held_minor(payment) if payment.fulfilment is Fulfilment.PENDING else 0

    def taken_from_waiting(self, payment: Payment, goods_minor: int) -> int:
        """Return the part of a clawback that comes from the waiting amount; 0 while the escrow is asked."""
        return 0 if payment.fulfilling else min(goods_minor, self.waiting_minor(payment))

    def held_minor(self, payment: Payment) -> int:
        """Return `unreserved_minor`: other clawbacks were taken from the organization."""
        return unreserved_minor(payment)

    def is_refunded_when_gone(self, payment: Payment) -> bool:
        """Return whether the whole amount was received: a partial amount goes to the organization instead."""
        return payment.fulfilment is not Fulfilment.PENDING or self.readiness(payment) is not Readiness.SHORT


def unreserved_minor(payment: Payment) -> int:
    """Return the granted entitlement less refunds, disputes and reversals that were taken from it before fulfilment."""
    refunds = sum(refund.waiting_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.waiting_minor for dispute in payment.disputes if dispute.counts)
    return payment.granted_minor - refunds - disputes - sum(booked.waiting_minor for booked in payment.booked)
