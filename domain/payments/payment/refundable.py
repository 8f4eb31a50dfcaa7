"""How much of a payment can be refunded. Pure."""

from domain.payments.payment.options import CREDITS
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Payment


def left_to_refund(payment: Payment) -> int:
    """Return what can be refunded now, in the payment's currency.

    Of a payment that was made with credits that is only what still waits for its escrow. After that a refund would take
    other credits of the same wallet: granted or cheap ones would become those that paid, which creators are paid out
    for, and whose own payment is refunded at its price.
    """
    if not payment.terms.refundable:
        return 0
    if payment.terms.provider == CREDITS:
        return min(payment.refundable_minor, rules_of(payment.terms).waiting_minor(payment))
    return payment.refundable_minor
