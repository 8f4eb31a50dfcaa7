"""How much of what was bought belongs to how much of the money: cumulative shares, so that parts add up to a whole."""

from domain.money import SLOT
from domain.payment.state import Payment


def granted_for(payment: Payment, amount_minor: int) -> int:
    """Return the goods that are due when `amount_minor` more comes in; never more in sum than the terms' rate gives."""
    purpose, terms = payment.terms.purpose, payment.terms
    if not terms.issues_goods:
        return amount_minor
    before = purpose.goods_minor * payment.received_minor // terms.amount_minor
    after = purpose.goods_minor * (payment.received_minor + amount_minor) // terms.amount_minor
    return after - before


def taken_for(payment: Payment, amount_minor: int) -> int:
    """Return the goods that go when `amount_minor` goes back; the last part takes what is left, to the unit.

    Where more goes back than came, because a bank takes what was refunded already, more goods go than were bought: the
    organization owes them, and whichever of the two turns out void gives back its own share.

    A slot has no parts: money for a part of one that goes back takes the whole of it.
    """
    if not payment.terms.issues_goods:
        return amount_minor
    gone = payment.refunded_minor + payment.disputed_minor + payment.reversed_minor
    if not payment.received_minor:
        return 0
    due, part = divmod(payment.granted_minor * (gone + amount_minor), payment.received_minor)
    if part and payment.terms.purpose.goods_asset == SLOT:
        due += 1
    return max(0, due - taken(payment))


def leaves_part_of_a_slot(payment: Payment, amount_minor: int) -> bool:
    """Tell whether giving back so much would leave a slot that is paid for in part."""
    if payment.terms.purpose.goods_asset != SLOT or amount_minor >= payment.refundable_minor:
        return False
    gone = payment.refunded_minor + payment.disputed_minor + payment.reversed_minor
    return bool(payment.granted_minor * (gone + amount_minor) % payment.received_minor)


def taken(payment: Payment) -> int:
    """Return the goods that refunds, disputes and reversals have taken so far."""
    refunds = sum(refund.goods_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.goods_minor for dispute in payment.disputes if dispute.counts)
    reversals = sum(-booked.goods_minor for booked in payment.booked if booked.goods_minor < 0)
    return refunds + disputes + reversals


def held_minor(payment: Payment) -> int:
    """Return how much of what was given is left after refunds, disputes and reversals; never below zero."""
    return max(0, payment.granted_minor - taken(payment))
