"""What takes its whole amount or nothing: the money waits on the payment's own account until all of it is there.

What is refunded before that is taken from what waits, and what is left is returned once it cannot be all any more.
"""

from domain.payments.payment.purposes.base import CommonRules, Readiness
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Fulfilment, Payment, RefundState


class WholeAmountRules(CommonRules):
    """A purpose that is fulfilled with the whole amount, which refunds and disputes have left."""

    at_once = False

    def readiness(self, payment: Payment) -> Readiness:
        """Wait for the whole amount, and for what refunds and disputes leave of it."""
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
        """Return how much waits to be fulfilled; nothing where refunds take it from elsewhere."""
        return self.held_minor(payment) if payment.fulfilment is Fulfilment.PENDING else 0

    def taken_from_waiting(self, payment: Payment, goods_minor: int) -> int:
        """Return how much of what the provider takes back comes from what waits; nothing while the escrow is asked."""
        return 0 if payment.fulfilling else min(goods_minor, self.waiting_minor(payment))

    def held_minor(self, payment: Payment) -> int:
        """Return what was given for the purpose and not taken from there before it was fulfilled.

        What went back without being asked for here was taken from the organization.
        """
        return unreserved_minor(payment)

    def is_refunded_when_gone(self, payment: Payment) -> bool:
        """Refund what came, once that was the whole amount: a part of it goes to the organization."""
        return payment.fulfilment is not Fulfilment.PENDING or self.readiness(payment) is not Readiness.SHORT


def unreserved_minor(payment: Payment) -> int:
    """Return what was given for the purpose and not taken from there before it was fulfilled."""
    refunds = sum(refund.waiting_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.waiting_minor for dispute in payment.disputes if dispute.counts)
    return payment.granted_minor - refunds - disputes - sum(booked.waiting_minor for booked in payment.booked)
