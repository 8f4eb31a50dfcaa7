"""Checks of refunds: whether the provider can refund the amount, and whether a second operator has to approve it.

An operator's refund above a limit needs two operators. Sessions opened by an operator's link count as that operator. So
do keys that an operator issued to an organization, directly or through other keys, except its first.

All refunds of the payment, and all of the organization within a day, by any requester, count together, so that the
limit cannot be avoided by splitting a refund.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common.access import Actor, has_operator
from domain.common.approval import ApprovalAction, content_above
from domain.common.errors import RefundExceeds
from domain.common.money import format_amount
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.refunds import RefundTooPrecise
from domain.payments.payment.state import Payment
from domain.payments.payment.terms import PaymentTerms
from providers.payments import limits
from repositories.billing import invoice
from repositories.credits import credit_lot
from repositories.payments import payment
from repositories.tenants import api_key
from services.billing import credit_note
from services.common import approval
from services.credits.credit_lot import ManualGrantRules, needs_approval

DAY = timedelta(days=1)
#: Shown in the approval if the request has no amount.
ALL_REMAINING = "all that is left"


def check_refund_amount(payment: Payment, amount_minor: int | None) -> None:
    """Check that the payment's provider can refund an amount; None for the whole remainder.

    For slots the refusal names possible amounts, because the price of one slot may have too many decimals.

    Raises:
        RefundTooPrecise: it has more decimals than the provider supports; `payment.part_of_a_slot` for slots.
    """
    terms = payment.terms
    unit = limits.refund_unit(terms.provider, terms.currency)
    if amount_minor is None or unit == 1:
        return
    possible = rules_of(terms).refunds_of_parts(payment, unit)
    if possible is not None and amount_minor < payment.refundable_minor:
        _refuse_part_of_a_slot(payment, amount_minor, unit, possible)
    elif amount_minor % unit:
        raise RefundTooPrecise(
            f"The amount of this refund must be a multiple of {format_amount(unit, terms.currency)} {terms.currency}.",
            extra={"field": "amount"},
        )


def _refuse_part_of_a_slot(payment: Payment, amount_minor: int, unit: int, possible: Sequence[int]) -> None:
    currency = payment.terms.currency
    if amount_minor in possible:
        return

    def shown(minor: int) -> str:
        return f"{format_amount(minor, currency)} {currency}"

    some = f"{shown(possible[0])} or more for some of them, or " if possible else ""
    raise RefundTooPrecise(
        f"Slots are refunded whole, and in multiples of {shown(unit)}. "
        f"Refund {some}all that is left, {shown(payment.refundable_minor)}.",
        code="payment.part_of_a_slot",
        extra={"field": "amount"},
    )


def check_requested_refund(event: PaymentEvent) -> None:
    """Check, before booking, that the provider can make the refund that an event requests; other events pass.

    Every refund is checked here, including those requested by signals from the Temporal UI.

    Raises:
        RefundTooPrecise: the requested amount has too many decimals.
        RefundExceeds: the request is for the whole remainder, and a fraction of it cannot be refunded;
            `extra["refundable"]` is the largest possible amount.
    """
    if event.event != "refund_requested":
        return
    terms, refund = event.payment.terms, event.payment.refunds[-1]
    if not event.details.get("all"):
        before = replace(event.payment, refunds=event.payment.refunds[:-1])
        check_refund_amount(before, refund.gross_minor)
        return
    amount_minor = refund.amount_minor
    most = limits.round_to_refundable(terms.provider, amount_minor, amount_minor, terms.currency)
    if most < amount_minor:
        shown = format_amount(most, terms.currency)
        raise RefundExceeds(
            f"Only {shown} {terms.currency} of this payment can be refunded.", extra={"refundable": shown}
        )


async def content_to_approve(
    session: AsyncSession,
    by_hand: ManualGrantRules,
    actor: Actor | None,
    terms: PaymentTerms,
    *,
    refund_id: str,
    amount_minor: int,
    is_all: bool,
    with_credit_note: bool = False,
    now: datetime,
) -> dict[str, object] | None:
    """Return the content that a second operator has to approve; None if one is enough, or for the payer's own refund.

    A credit note with the refund is checked separately: together with earlier notes of its invoice, and the credits it
    returns together with all that were granted to the organization within a day.

    Args:
        session: of the platform.
        by_hand: the limit and the price of a credit.
        actor: the requester.
        terms: the payment's.
        refund_id: of the refund, which is not counted itself.
        amount_minor: the amount, as far as known.
        is_all: whether the request has no amount.
        with_credit_note: whether it comes with a credit note.
        now: the time.
    """
    if by_hand.two_above is None or actor is None:
        return None
    before = await payment.refunded_since(session, terms, now - DAY, besides=refund_id)
    at_stake = before + amount_minor
    noted, credits = terms.purpose.invoice_id if with_credit_note else None, 0
    if noted is not None:
        row = await invoice.get(session, noted)
        at_stake = max(at_stake, credit_note.worth_minor(row, amount_minor))
        credits = await credit_note.credits_with_refund(session, row, amount_minor)
    if content_above(by_hand.two_above, at_stake, terms.currency) is None and not (
        credits
        and await needs_approval(
            session, by_hand, org_id=terms.org_id, amount_minor=credits, command_id=refund_id, now=now
        )
    ):
        return None
    if not actor.is_operators and not has_operator(await api_key.issuer_chain(session, actor)):
        return None
    content: dict[str, object] = {
        "amount": ALL_REMAINING if is_all else format_amount(amount_minor, terms.currency),
        "currency": terms.currency,
    }
    return content if noted is None else {**content, "credit_note": True}


async def use_approval(session: AsyncSession, by_hand: ManualGrantRules | None, event: PaymentEvent) -> None:
    """Use the approval of a refund, if it needs one, in the transaction of its request; other events pass.

    Every refund is checked here, including those requested by signals from the Temporal UI.
    """
    if event.event != "refund_requested" or event.command_id is None or by_hand is None or by_hand.two_above is None:
        return
    terms, refund = event.payment.terms, event.payment.refunds[-1]
    await payment.lock_refunds(session, terms.org_id)
    with_note = bool(event.details.get("credit_note"))
    if with_note:
        await credit_lot.lock_grants(session, terms.org_id)
    content = await content_to_approve(
        session,
        by_hand,
        event.actor_detail,
        terms,
        refund_id=refund.refund_id,
        amount_minor=refund.amount_minor,
        is_all=bool(event.details.get("all")),
        with_credit_note=with_note,
        now=event.at,
    )
    if content is not None:
        await approval.consume(
            session, ApprovalAction.PAYMENT_REFUND, terms.payment_id, content, command_id=event.command_id, now=event.at
        )
