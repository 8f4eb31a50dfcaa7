"""How much of what was bought belongs to how much of the money: cumulative shares, so that parts add up to a whole."""

from dataclasses import replace
from typing import TypeVar

from domain.money import SLOT
from domain.payment.state import Dispute, Fulfilment, Payment, Refund
from domain.payment.terms import PurposeKind

P = TypeVar("P", Refund, Dispute)


def granted_for(payment: Payment, amount_minor: int) -> int:
    """Return the entitlement due when `amount_minor` more comes in; in sum never more than the terms' rate gives."""
    purpose, terms = payment.terms.purpose, payment.terms
    if not terms.issues_entitlement:
        return amount_minor
    before = purpose.goods_minor * payment.received_minor // terms.amount_minor
    after = purpose.goods_minor * (payment.received_minor + amount_minor) // terms.amount_minor
    return after - before


def taken_for(payment: Payment, amount_minor: int) -> int:
    """Return the entitlement that goes when `amount_minor` goes back; the last part takes what is left, to the unit.

    Where more goes back than came, because a bank takes what was refunded already, more goes than was bought: the
    organization owes them, and whichever of the two turns out void gives back its own share.

    A slot has no parts: money for a part of one that goes back takes the whole of it.
    """
    if not payment.terms.issues_entitlement:
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
    """Return the entitlement that refunds, disputes and reversals have taken so far."""
    refunds = sum(refund.goods_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.goods_minor for dispute in payment.disputes if dispute.counts)
    reversals = sum(-booked.goods_minor for booked in payment.booked if booked.goods_minor < 0)
    return refunds + disputes + reversals


def waiting_minor(payment: Payment) -> int:
    """Return how much waits on the payment's account for its escrow; nothing where refunds take it from elsewhere."""
    terms = payment.terms
    if not terms.fulfils_net or terms.purpose.kind is not PurposeKind.ESCROW:
        return 0
    if payment.fulfilment is not Fulfilment.PENDING:
        return 0
    return unreserved_minor(payment)


def unreserved_minor(payment: Payment) -> int:
    """Return what was given for an escrow and not taken from there before the escrow had it."""
    refunds = sum(refund.waiting_minor for refund in payment.refunds if refund.counts)
    disputes = sum(dispute.waiting_minor for dispute in payment.disputes if dispute.counts)
    return payment.granted_minor - refunds - disputes - sum(booked.waiting_minor for booked in payment.booked)


def taken_from_waiting(payment: Payment, goods_minor: int) -> int:
    """Return how much of what the provider takes back comes from what waits for the escrow; nothing while it is asked.

    An escrow that is asked may have the money already.
    """
    if not payment.terms.takes_waiting_first or payment.fulfilling:
        return 0
    return min(goods_minor, waiting_minor(payment))


def returned_by_waiting(payment: Payment) -> tuple[Payment, int]:
    """Let what waits stand for what was taken elsewhere while the escrow was asked; returns how much of it."""
    left = returned = taken_from_waiting(payment, taken(payment) - (payment.granted_minor - unreserved_minor(payment)))

    def waiting(goods_minor: int, waiting_minor: int) -> int:
        nonlocal left
        part = min(left, goods_minor - waiting_minor)
        left -= part
        return waiting_minor + part

    def of(part: P) -> P:
        return replace(part, waiting_minor=waiting(part.goods_minor, part.waiting_minor)) if part.counts else part

    booked = tuple(
        replace(each, waiting_minor=waiting(-each.goods_minor, each.waiting_minor)) if each.goods_minor < 0 else each
        for each in payment.booked
    )
    refunds, disputes = tuple(map(of, payment.refunds)), tuple(map(of, payment.disputes))
    return replace(payment, refunds=refunds, disputes=disputes, booked=booked), returned


def released_minor(payment: Payment, part: Refund | Dispute) -> int:
    """Return what the organization gets when a refund fails or a dispute is won.

    What waited for the escrow waits again while it can.
    """
    waits = payment.fulfilment is Fulfilment.PENDING
    return part.goods_minor - (part.waiting_minor if waits else 0)


def held_minor(payment: Payment) -> int:
    """Return how much of what was given is left after refunds, disputes and reversals; never below zero."""
    return max(0, payment.granted_minor - taken(payment))
