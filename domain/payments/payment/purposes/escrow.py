"""An escrow: it takes its whole amount or nothing. Its workflow is asked to take the money, which waits for the answer.

A refund before the escrow is funded takes the waiting money. While the escrow is being asked it may have the money
already, so until it answers, refunds are taken from the organization.
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
    """Refuse an escrow that another organization pays for, or that is not open.

    Raises:
        Forbidden: another organization pays for it.
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
    """The funding of an escrow, in its currency; a payment in money may buy the credits for it."""

    kind = PurposeKind.ESCROW
    named_by = "escrow_id"
    takes_credits = True
    keeps_fee = True

    def price(self, order: Order, market: Market) -> Price:
        """Return the escrow's amount, or the price of that many credits. An amount in the request must equal it.

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
        """Return the escrow's whole amount."""
        terms = _escrow(order).terms
        return Purpose(
            kind=self.kind,
            goods_asset=terms.currency,
            goods_minor=terms.amount_minor,
            escrow_id=terms.escrow_id,
            contract_id=terms.contract_id,
        )

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:  # noqa: ARG002
        """Ask the escrow to take the money; a partial amount is returned.

        Once asked, the escrow is asked until it answers, even after refunds or disputes: it may already have the
        money.
        """
        if not in_part and (payment.fulfilling or self.readiness(payment) is Readiness.READY):
            return AskEscrow()
        return ReturnMoney("the whole amount was not paid in time")

    def must_freeze_escrow(self, payment: Payment) -> bool:
        """Return whether the escrow holds clawed-back or disputed money and is not frozen yet."""
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
    """Return whether the money is reserved for the escrow: it is being asked, and has not answered yet."""
    is_its = payment.terms.purpose.escrow_id == escrow_id
    return is_its and payment.fulfilment is Fulfilment.PENDING and payment.fulfilling


# Events ---------------------------------------------------------------------------------------------------------------


def fulfilment_started(payment: Payment, *, at: datetime) -> Outcome:
    """Record, before the escrow is asked, that it may have the money from now on."""
    after = replace(payment, fulfilling=True)
    return _outcome(after, "fulfilment_started", at)


def fulfilment_put_off(payment: Payment, *, at: datetime) -> Outcome:
    """Record that the escrow does not have the money and is not asked now, because of refunds or disputes since."""
    after, returned = _returned_by_waiting(replace(payment, fulfilling=False))
    return _outcome(after, "fulfilment_put_off", at, released=returned)


def fulfilled(payment: Payment, *, at: datetime) -> Outcome:
    """Record that the escrow was funded; a surplus goes to the organization."""
    after = replace(payment, fulfilment=Fulfilment.DONE, fulfilling=False)
    surplus = unreserved_minor(payment) - payment.terms.purpose.goods_minor
    return _outcome(after, "escrow_funded", at, released=max(0, surplus))


def escrow_frozen(payment: Payment, *, at: datetime) -> Outcome:
    """Record that the escrow is frozen because of the chargeback; an arbiter decides on what it still holds."""
    return _outcome(replace(payment, escrow_frozen=True), "escrow_frozen", at)


def escrow_not_frozen(payment: Payment, *, why: str, at: datetime) -> Outcome:
    """Record that the escrow had ended before the chargeback, so there is nothing to freeze."""
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
    """Offset refunds and disputes made while the escrow was asked against the reserved money; return the offset."""
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
