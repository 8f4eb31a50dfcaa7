"""Refundable amount of a payment. Pure."""

from domain.payments.payment.options import CREDITS
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Payment


def left_to_refund(payment: Payment) -> int:
    """Return the amount that can be refunded now, in the payment's currency.

    Of a payment with credits only the part that still waits for its escrow can be refunded. A later refund would
    exchange granted or cheap credits of the wallet for those that paid, which creators are paid out for and which are
    refunded at their own price.
    """
    if not payment.terms.refundable:
        return 0
    if payment.terms.provider == CREDITS:
        return min(payment.refundable_minor, rules_of(payment.terms).waiting_minor(payment))
    return payment.refundable_minor
