"""An escrow: it takes its whole amount or nothing. Its own process is asked, and the money waits until it has answered.

What is refunded before the escrow has its money is taken from what waits. While it is asked it may have the money
already, so everything is taken from the organization then, until it is known that it does not.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from domain.common.access import Actor
from domain.common.errors import Conflict, EscrowAmountMismatch, Forbidden, WrongState
from domain.common.money import COINS, CREDIT, format_amount, parse_amount
from domain.escrow.state import Escrow, EscrowStatus, is_payer
from domain.payments.payment.entitlement import clawed_back_minor
from domain.payments.payment.options import CREDITS, CRYPTO, invalid
from domain.payments.payment.pricing import Charge, Market, Order, Price, price_in_money
from domain.payments.payment.purposes.base import AskEscrow, Fulfil, Readiness, ReturnMoney
from domain.payments.payment.purposes.whole import WholeAmountRules, unreserved_minor
from domain.payments.payment.state import (
    WORKFLOW,
    Dispute,
    Fulfilment,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    Refund,
    with_number,
)
from domain.payments.payment.terms import Purpose, PurposeKind

P = TypeVar("P", Refund, Dispute)


def require_fundable(escrow: Escrow, actor: Actor) -> None:
    """Refuse an escrow that others pay for, or that is not open.

    Raises:
        Forbidden: others pay for it.
        WrongState: it is not open.
    """
    if not is_payer(escrow, actor):
        raise Forbidden("Only the paying organization can fund an escrow.")
    require_open(escrow)


def require_open(escrow: Escrow) -> None:
    """Refuse an escrow that is not open.

    Raises:
        WrongState: it is not open.
    """
    if escrow.status is not EscrowStatus.OPEN:
        raise WrongState(
            f"This escrow is {escrow.status.value}. Only an open escrow can be funded.",
            extra={"state": escrow.status.value},
        )


class EscrowMoney(WholeAmountRules):
    """The money of one escrow, in its currency; credits may be bought for it on the way."""

    kind = PurposeKind.ESCROW
    named_by = "escrow_id"
    takes_credits = True
    keeps_fee = True

    def price(self, order: Order, market: Market) -> Price:
        """Return the escrow's amount, or what that many credits cost; an amount that the request names must be that.

        Raises:
            Conflict: `escrow.amount_mismatch`.
        """
        terms, options = _escrow(order).terms, order.options
        sold = terms.currency == CREDIT and options.provider != CREDITS
        due, due_in = terms.amount_minor, terms.currency
        if sold:
            due, due_in = market.credit.of(due), market.credit.currency
        if not sold and options.asset not in {None, due_in}:
            raise _mismatch(f"This escrow is in {terms.currency}. Leave asset out.")
        other = (order.currency or due_in) != due_in
        if other or (order.amount is not None and parse_amount(order.amount, due_in) != due):
            whole = f"{format_amount(due, due_in)} {due_in}"
            raise _mismatch(f"This escrow must be paid in full, with {whole}.")
        if not sold and options.provider == CRYPTO and due_in not in COINS:
            raise _mismatch(f"This escrow is in {due_in} and cannot be paid in coins. Choose another provider.")
        return price_in_money(due, due_in, options, market) if sold else Price(amount_minor=due, currency=due_in)

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:  # noqa: ARG002
        """Return the escrow's money, whole."""
        terms = _escrow(order).terms
        return Purpose(
            kind=self.kind,
            goods_asset=terms.currency,
            goods_minor=terms.amount_minor,
            escrow_id=terms.escrow_id,
            contract_id=terms.contract_id,
        )

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:  # noqa: ARG002
        """Ask the escrow to take the money; a partial amount is returned instead.

        An escrow that was asked once is asked until it answers, even after refunds or disputes: it may already have
        the money.
        """
        if not in_part and (payment.fulfilling or self.readiness(payment) is Readiness.READY):
            return AskEscrow()
        return ReturnMoney("not all of it came in time")

    def must_freeze_escrow(self, payment: Payment) -> bool:
        """Return whether the escrow has money that was or is being clawed back, and has not been frozen yet."""
        if payment.fulfilment is not Fulfilment.DONE or payment.escrow_frozen:
            return False
        void = payment.received_minor - payment.reversed_minor < payment.terms.amount_minor
        return void or any(dispute.counts for dispute in payment.disputes)

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:
        """Return the escrow's id."""
        return {"escrow_id": purpose.escrow_id}

    def describe(self, purpose: Purpose, subject: object = None) -> str:  # noqa: ARG002
        """Name the escrow."""
        return f"Escrow {purpose.escrow_id}"


def is_reserved_for(payment: Payment, escrow_id: str) -> bool:
    """Return whether the escrow may take the money: it is asked to, and has not answered yet."""
    is_its = payment.terms.purpose.escrow_id == escrow_id
    return is_its and payment.fulfilment is Fulfilment.PENDING and payment.fulfilling


# Events ---------------------------------------------------------------------------------------------------------------


def fulfilment_started(payment: Payment, *, at: datetime) -> Outcome:
    """Note that the escrow is asked to take the money, before it is: from then on it may have it."""
    after = replace(payment, fulfilling=True)
    return _outcome(after, "fulfilment_started", at)


def fulfilment_put_off(payment: Payment, *, at: datetime) -> Outcome:
    """Note that the escrow does not have the money, which so much happened to since that it is not asked now."""
    after, returned = _returned_by_waiting(replace(payment, fulfilling=False))
    return _outcome(after, "fulfilment_put_off", at, released=returned)


def fulfilled(payment: Payment, *, at: datetime) -> Outcome:
    """Note that the escrow took the money; what came beyond its amount goes to the organization."""
    after = replace(payment, fulfilment=Fulfilment.DONE, fulfilling=False)
    surplus = unreserved_minor(payment) - payment.terms.purpose.goods_minor
    return _outcome(after, "escrow_funded", at, released=max(0, surplus))


def escrow_frozen(payment: Payment, *, at: datetime) -> Outcome:
    """Note that the escrow is frozen because of the chargeback; an arbiter decides about what it still holds."""
    return _outcome(replace(payment, escrow_frozen=True), "escrow_frozen", at)


def escrow_not_frozen(payment: Payment, *, why: str, at: datetime) -> Outcome:
    """Note that the escrow had ended before the chargeback, so that it holds nothing that could be frozen."""
    return _outcome(replace(payment, escrow_frozen=True), "escrow_not_frozen", at, why=why)


def _outcome(after: Payment, event: str, at: datetime, *, released: int = 0, **more: object) -> Outcome:
    purpose = after.terms.purpose
    released_by = PaymentPosting(kind=PaymentPostingKind.RELEASE, amount_minor=released, asset=purpose.goods_asset)
    return with_number(
        Outcome(
            payment=after,
            event=event,
            actor=WORKFLOW,
            moves=(released_by,) if released else (),
            details={"escrow_id": purpose.escrow_id, **more},
        ),
        at,
    )


def _returned_by_waiting(payment: Payment) -> tuple[Payment, int]:
    """Offset what was taken elsewhere while the escrow was asked against the money that waits; return the offset."""
    taken_elsewhere = clawed_back_minor(payment) - (payment.granted_minor - unreserved_minor(payment))
    left = returned = RULES.taken_from_waiting(payment, taken_elsewhere)

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


def _escrow(order: Order) -> Escrow:
    if not isinstance(order.subject, Escrow):
        raise invalid("escrow_id", "Name the escrow to pay for in escrow_id.")
    return order.subject


def _mismatch(why: str) -> Conflict:
    return EscrowAmountMismatch(why)


RULES = EscrowMoney()
