"""The bounds of refunds that a payer requests itself: how long, how often, and what the platform keeps. Pure.

Each refund costs the platform the provider's fee on the payment, which no provider gives back. An operator's refunds
have none of these bounds.
"""

from datetime import datetime, timedelta

from domain.common.errors import Invalid, NeedsOperator, PaymentFeeNotKnown
from domain.common.money import format_amount
from domain.payments.payment.entitlement import clawed_back_minor, not_kept_minor
from domain.payments.payment.snapshot import BalanceTransactionKind
from domain.payments.payment.state import BookedMovement, Payment
from domain.payments.payment.terms import OwnRefunds


def check_own_refund(payment: Payment, at: datetime) -> None:
    """Refuse a refund that the payer requests itself too late, or once more.

    Raises:
        NeedsOperator: an operator has to refund it.
    """
    bounds = payment.terms.own_refunds or OwnRefunds()
    came = max([payment.created_at, *(item.occurred_at for item in _charges(payment)[:1])])
    if bounds.days is not None and at >= came + timedelta(days=bounds.days):
        within = f"within {bounds.days} days" if bounds.days else "at no time"
        raise NeedsOperator(f"You can refund this payment yourself {within}. Ask the platform to refund it.")
    made = sum(refund.is_own and refund.counts for refund in payment.refunds)
    if bounds.times is not None and made >= bounds.times:
        raise NeedsOperator("You have refunded as often as you can. Ask the platform to refund the rest.")


def kept_fee(payment: Payment, gross_minor: int, *, known: bool = True) -> int:
    """Return what is kept of a payer's refund: its share of the provider's fee on the payment, rounded up.

    Args:
        payment: the present state.
        gross_minor: what the payer gives up of the payment.
        known: whether to wait for a fee that the provider has not reported yet.

    Raises:
        NotYet: the provider has not reported its fee.
        Invalid: the fee takes all of it.
    """
    bounds = payment.terms.own_refunds
    if bounds is None or not bounds.keeps_fee:
        return 0
    charges = _charges(payment)
    if known and any(item.fee_minor is None for item in charges):
        raise PaymentFeeNotKnown(
            "The provider has not reported its fee on this payment yet, which the refund is less. Repeat it later."
        )
    # The provider may charge its fee in the currency of its balance.
    fee = sum(
        -(-item.fee_minor * item.paid_minor // item.amount_minor)
        for item in charges
        if item.fee_minor and item.amount_minor
    )
    net = gross_minor - -(-max(0, fee) * gross_minor // payment.received_minor)
    net -= net % bounds.unit_minor
    if net <= 0:
        currency = payment.terms.currency
        raise Invalid(
            f"The provider's fee takes all of a refund of {format_amount(gross_minor, currency)} {currency}. "
            "Refund a larger amount.",
            extra={"field": "amount"},
        )
    return gross_minor - net


def taken_at_list_price(payment: Payment, gross_minor: int) -> int:
    """Return what a refund takes of what was bought so that the rest has its list price; 0 if it was not sold below."""
    bounds = payment.terms.own_refunds
    if bounds is None or bounds.at_list_minor is None:
        return 0
    paid = payment.received_minor - not_kept_minor(payment) - gross_minor
    kept = payment.terms.purpose.goods_minor * paid // bounds.at_list_minor
    return max(0, payment.granted_minor - clawed_back_minor(payment) - kept)


def largest_refund(payment: Payment, there_minor: int) -> int:
    """Return the most that can be refunded while only `there_minor` of what was bought are left unspent.

    In the payment's currency; `there_minor` is in units of what was bought.
    """
    used = payment.granted_minor - clawed_back_minor(payment) - there_minor
    bounds, goods = payment.terms.own_refunds, payment.terms.purpose.goods_minor
    whole = payment.terms.amount_minor
    if bounds is not None and bounds.at_list_minor is not None:
        whole = max(whole, bounds.at_list_minor)
    kept = -(-max(0, used) * whole // goods)
    return max(0, payment.received_minor - not_kept_minor(payment) - kept)


def _charges(payment: Payment) -> list[BookedMovement]:
    return [item for item in payment.booked if item.kind is BalanceTransactionKind.CHARGE]
