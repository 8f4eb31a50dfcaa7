"""What follows the approval of a purchase: attempts and their results, refunds, renewals, and its end."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import EntryStatus, PurchaseFact
from domain.budgets.policy import NO_CREDITS, NOT_IN_POLICY
from domain.budgets.purchase_order import (
    FINAL_STATUSES,
    MAX_ATTEMPTS,
    AttemptStatus,
    PurchaseOrderStatus,
    Term,
    book_charge,
    check_abandon,
    check_attempt,
    check_cancel,
    check_refund,
    renews_after,
)
from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound, other_request
from ledger.purchases import Purchases
from ledger.spends import SpendOutcome
from models.budgets.purchase_order import PurchaseAttempt, PurchaseOrder, PurchaseRefund
from repositories.budgets import purchase_order as orders
from repositories.common.command import lock_command
from repositories.messages import alert
from repositories.tenants import audit
from runtime.database import driver_connection
from services.budgets import policy as policies, purchase_record as records
from services.budgets.purchase_confirmation import (
    attempts_of,
    correct,
    count_forced,
    flag_unconfirmed,
    held_of,
    mark_charged,
    may_confirm,
    release_holds,
    settle_counts,
)
from services.budgets.purchase_order import budget_refusal, purchase_of
from services.credits.spend import limit_exceeded

MISSING_ATTEMPT = "There is no such attempt."
#: The kind of the alert about an attempt whose result is not known; its subject is the order.
UNKNOWN = "purchase_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """The reported result of an attempt; amounts are in minor units of the order's currency.

    Attributes:
        charged_minor: all that was charged; None for the order's amount. `fee_minor` is a part of it.
        reason: why a person corrects a result that was reported before.
    """

    status: AttemptStatus
    charged_minor: int | None = None
    fee_minor: int | None = None
    reference: str | None = None
    receipt: str | None = None
    reason: str | None = None


async def begin_attempt(
    session: AsyncSession, actor: Actor, order_id: str, method: str, *, command_id: str, now: datetime
) -> PurchaseOrder:
    """Note an attempt before it is made.

    After one that only an agent reported as declined, the amount is held once more: both may have paid.

    Raises:
        Invalid: the organization has methods, but no such one, or the policy does not allow it.
    """
    order = await orders.get(session, order_id, lock=True)
    before = await orders.attempts(session, [order.id])
    for each in before:
        if each.command_id == command_id:
            if each.method != method:
                raise other_request()
            return order
    number = check_attempt(PurchaseOrderStatus(order.status), attempts_of(before), held_until=order.held_until, at=now)
    # A card that is issued reports its payments itself.
    known = {each["method"]: each for each in order.methods if each["why_not"] not in {None, NO_CREDITS}}
    if known and method not in known:
        raise Invalid(f"There is no method {method[:40]!r}. Use one of {', '.join(known)}.", extra={"field": "method"})
    if known and known[method]["why_not"] == NOT_IN_POLICY:
        raise Invalid("The policy does not allow this method. Use another one.", extra={"field": "method"})
    if order.unconfirmed_since is not None:
        await _hold_again(session, order, now)
    session.add(
        PurchaseAttempt(
            order_id=order.id,
            number=number,
            org_id=order.org_id,
            method=method,
            status=AttemptStatus.BEGUN.value,
            command_id=command_id,
            begun_by=actor.qualified(),
            begun_at=now,
        )
    )
    await records.log_fact(
        session, order, PurchaseFact.ATTEMPT, at=now, status=AttemptStatus.BEGUN.value, method=method
    )
    return order


async def _hold_again(session: AsyncSession, order: PurchaseOrder, now: datetime) -> None:
    order.counts += 1
    purchases = Purchases(await driver_connection(session), order.org_id)
    spent = await purchases.authorize(purchase_of(order, number=order.counts), at=now)
    refusal = budget_refusal(spent)
    if refusal is not None:
        raise limit_exceeded(refusal)
    await records.alert_draw(session, order, order.counts, spent.pool.value, at=now)


def attempt_number(text: str) -> int:
    """Return the number of an attempt as a path has it.

    Raises:
        NotFound: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ATTEMPTS))):
        raise NotFound(MISSING_ATTEMPT)
    return int(text)


async def record_result(
    session: AsyncSession, actor: Actor, order_id: str, number: int, result: AttemptResult, *, now: datetime
) -> PurchaseOrder:
    """Record the result of an attempt. A result that is final stays; another one is answered with the first.

    A person who approves purchases replaces a final result, with a reason. What was charged beyond what is held is
    counted as forced and alerted. An amount below it, or a decline, that only an agent reports lowers nothing.

    Raises:
        NotFound: there is no such order or attempt.
        Invalid: the fee is above what was charged; a correction has no reason.
    """
    order = await orders.get(session, order_id, lock=True)
    row = next((each for each in await orders.attempts(session, [order.id]) if each.number == number), None)
    if row is None:
        raise NotFound(MISSING_ATTEMPT)
    status, is_person = result.status, await may_confirm(session, actor)
    charged = order.amount_minor if result.charged_minor is None else result.charged_minor
    now_charged = charged if status is AttemptStatus.SUCCEEDED else None
    is_final, before = AttemptStatus(row.status) in FINAL_STATUSES, row.charged_minor or 0
    corrects = (
        is_person and is_final and status in FINAL_STATUSES and (row.status, row.charged_minor) != (status, now_charged)
    )
    if not corrects and (is_final or row.status == status.value):
        return order
    if status is AttemptStatus.SUCCEEDED and result.fee_minor is not None and result.fee_minor > charged:
        raise Invalid("The fee is a part of the amount and cannot be above it.", extra={"field": "fee"})
    row.charged_minor, row.fee_minor = now_charged, None if now_charged is None else result.fee_minor
    row.status, row.reference, row.receipt, row.result_at = status.value, result.reference, result.receipt, now
    if corrects:
        await session.flush()
        in_all = max(0, order.reported_spent_minor - before + (now_charged or 0))
        return await correct(session, actor, order, number, in_all, result.reason, now)
    order.unknown_since = now if status is AttemptStatus.UNKNOWN else None
    if status is not AttemptStatus.UNKNOWN:
        await alert.close_cases(session, order.id, [UNKNOWN])
        succeeded = status is AttemptStatus.SUCCEEDED
        await policies.count_attempt(session, order.org_id, row.method, succeeded=succeeded)
    changed = status is AttemptStatus.SUCCEEDED and await _charge(session, order, charged, now, is_confirmed=is_person)
    if status is AttemptStatus.DECLINED and is_person and order.status != PurchaseOrderStatus.APPROVED:
        await release_holds(session, order, (await orders.counts(session, order.id))[-1:], now)
    declined = status is AttemptStatus.DECLINED and not is_person
    await flag_unconfirmed(session, order, now=now, declined=declined or None)
    await records.log_fact(
        session,
        order,
        PurchaseFact.ATTEMPT,
        at=now,
        status=status.value,
        amount_minor=charged if status is AttemptStatus.SUCCEEDED else None,
        method=row.method,
    )
    await audit.record(
        session, actor, "purchase_order.report", order.id, {"attempt": number, "result": status.value}, order.org_id
    )
    if changed:
        await records.record_status_event(session, order, at=now)
    return order


async def _charge(
    session: AsyncSession, order: PurchaseOrder, charged_minor: int, now: datetime, *, is_confirmed: bool
) -> bool:
    """Count a charge, from what is held as far as it goes; returns whether the status has changed."""
    rows = [row for row in await orders.counts(session, order.id) if row.number == order.counts]
    held = sum(map(held_of, rows))
    books = book_charge(held, charged_minor, is_confirmed=is_confirmed)
    if held:
        await Purchases(await driver_connection(session), order.org_id).move(
            order.id,
            order.counts,
            spent_minor=books.spent_minor,
            returned_minor=books.returned_minor,
            refunded_minor=0,
            at=now,
        )
    if books.forced_minor:
        await count_forced(session, order, books.forced_minor, now)
    order.spent_minor += books.spent_minor + books.forced_minor
    order.reported_spent_minor += charged_minor
    return mark_charged(order, now)


async def abandon(
    session: AsyncSession,
    actor: Actor,
    order_id: str,
    *,
    alternative_action: str | None,
    saved_minor: int | None,
    now: datetime,
) -> PurchaseOrder:
    """Give up a purchase, with what was done instead. Once: a repetition changes nothing.

    What is held is released, but of an order that was attempted only where a person gives it up.
    An alternative that names a free option of the catalogue counts as a use of its quota.
    """
    order = await orders.get(session, order_id, lock=True)
    if order.status == PurchaseOrderStatus.ABANDONED:
        return order
    check_abandon(PurchaseOrderStatus(order.status), attempts_of(await orders.attempts(session, [order.id])))
    # What was declined stays told in the log beside what was done instead.
    declined = order.status if order.status.startswith("declined") else None
    await _end(session, order, PurchaseOrderStatus.ABANDONED, now, is_confirmed=await may_confirm(session, actor))
    order.alternative_action, order.saved_minor = alternative_action, saved_minor
    if alternative_action is not None:
        await policies.count_free_use(session, order.org_id, alternative_action, at=now)
    await records.log_fact(session, order, PurchaseFact.ABANDONED, at=now, status=declined, instead=True)
    if declined is not None and alternative_action is not None:
        # One entry that says what was declined and what was done instead.
        await records.log_fact(session, order, PurchaseFact.ATTEMPT, at=now, status=declined, instead=True)
    await records.record_status_event(session, order, at=now)
    await records.resolve_approval_alert(session, order)
    await audit.record(session, actor, "purchase_order.abandon", order.id, {}, order.org_id)
    return order


async def close_paid_by_card(session: AsyncSession, order: PurchaseOrder, *, now: datetime) -> None:
    """End an approved order whose card pays for it: its hold ends, because the card's own spends count from then on.

    After an attempt that only an agent reported as declined the hold stays, until a person confirms the decline.
    The caller holds the order's lock.
    """
    await _end(session, order, PurchaseOrderStatus.PURCHASED, now)
    await records.log_fact(session, order, PurchaseFact.ENDED, at=now, method="card")
    await records.record_status_event(session, order, at=now)


async def expire(session: AsyncSession, order_id: str, *, now: datetime) -> bool:
    """End an approved order whose hold has ended; returns whether it did. An unknown attempt keeps the order open.

    The hold of an order that was attempted stays until a person confirms that nothing was charged.
    """
    order = await orders.get(session, order_id, lock=True)
    if order.held_until is None or order.held_until > now or order.unknown_since is not None:
        return False
    await _end(session, order, PurchaseOrderStatus.EXPIRED, now)
    await records.log_fact(session, order, PurchaseFact.ENDED, at=now)
    await records.record_status_event(session, order, at=now)
    return True


async def _end(
    session: AsyncSession,
    order: PurchaseOrder,
    status: PurchaseOrderStatus,
    now: datetime,
    *,
    is_confirmed: bool = False,
) -> None:
    """Give an order without a charge its last status, and release what it holds unless an attempt may have paid."""
    if order.status == PurchaseOrderStatus.APPROVED:
        attempts = await orders.attempts(session, [order.id])
        is_open = order.unconfirmed_since is not None or any(each.status not in FINAL_STATUSES for each in attempts)
        if is_confirmed or not is_open:
            await release_holds(session, order, await orders.counts(session, order.id), now)
    order.status, order.held_until, order.answer_by = status.value, None, None
    await flag_unconfirmed(session, order, now=now)


async def refund(
    session: AsyncSession,
    actor: Actor,
    order_id: str,
    *,
    amount_minor: int,
    reference: str | None,
    command_id: str,
    now: datetime,
) -> PurchaseOrder:
    """Record a refund of what was paid; once for each command.

    It counts in the budgets no longer where a person who approves purchases reports it; else once one confirms it.

    Raises:
        Invalid: it is more than was paid and not refunded yet.
    """
    await lock_command(session, command_id)
    made = await orders.refund_of(session, command_id)
    order = await orders.get(session, order_id, lock=True)
    if made is not None:
        if (made.order_id, made.amount_minor) != (order.id, amount_minor):
            raise other_request()
        return order
    is_person = await may_confirm(session, actor)
    before = order.refunded_minor if is_person else order.reported_refunded_minor
    check_refund(before, order.spent_minor, amount_minor, order.currency)
    if is_person:
        order.refunded_minor += amount_minor
        await settle_counts(session, order, await orders.counts(session, order.id), now, releases=False)
        # As far as it goes, it is what an agent has reported before.
        order.reported_refunded_minor = max(order.reported_refunded_minor, order.refunded_minor)
    else:
        order.reported_refunded_minor += amount_minor
    session.add(
        PurchaseRefund(
            command_id=command_id,
            order_id=order.id,
            org_id=order.org_id,
            amount_minor=amount_minor,
            reference=reference,
            recorded_by=actor.qualified(),
            at=now,
        )
    )
    await flag_unconfirmed(session, order, now=now)
    status = (EntryStatus.REFUNDED if is_person else EntryStatus.REPORTED).value
    await records.log_fact(session, order, PurchaseFact.REFUND, at=now, status=status, amount_minor=amount_minor)
    await audit.record(session, actor, "purchase_order.refund", order.id, {"amount_minor": amount_minor}, order.org_id)
    return order


async def cancel(session: AsyncSession, actor: Actor, order_id: str, *, now: datetime) -> PurchaseOrder:
    """End the term of a purchase that renews. Once: a repetition changes nothing.

    Where an agent says so, the renewals go on to count until a person who approves purchases cancels it.
    """
    order = await orders.get(session, order_id, lock=True)
    if order.status == PurchaseOrderStatus.CANCELLED:
        return order
    check_cancel(PurchaseOrderStatus(order.status), None if order.term is None else Term(order.term))
    is_person = await may_confirm(session, actor)
    if not is_person and order.cancel_reported_at is not None:
        return order
    if is_person:
        order.status, order.renews_at, order.cancel_reported_at = PurchaseOrderStatus.CANCELLED.value, None, None
    else:
        order.cancel_reported_at = now
    await flag_unconfirmed(session, order, now=now)
    status = None if is_person else EntryStatus.REPORTED.value
    await records.log_fact(session, order, PurchaseFact.ENDED, at=now, status=status)
    if is_person:
        await records.record_status_event(session, order, at=now)
    await audit.record(session, actor, "purchase_order.cancel", order.id, {}, order.org_id)
    return order


async def renew(session: AsyncSession, order_id: str, *, now: datetime) -> bool:
    """Count the next term of a purchase on the day it begins; returns whether it was due.

    The vendor charges it whether it fits or not, so what does not fit is counted as forced and alerted.
    """
    order = await orders.get(session, order_id, lock=True)
    if order.renews_at is None or order.renews_at > now or order.term is None:
        return False
    order.counts += 1
    at, amount = order.renews_at, order.amount_minor
    purchases = Purchases(await driver_connection(session), order.org_id)
    spent = await purchases.authorize(purchase_of(order, number=order.counts), at=now)
    fits = spent.outcome is SpendOutcome.RESERVED
    if fits:
        await purchases.move(order.id, order.counts, spent_minor=amount, returned_minor=0, refunded_minor=0, at=now)
        await records.alert_draw(session, order, order.counts, spent.pool.value, at=now)
    else:
        await purchases.authorize(purchase_of(order, number=order.counts, forced=True), at=now)
        await records.alert_forced_charge(session, order, order.counts, amount)
    order.spent_minor += amount
    order.reported_spent_minor += amount
    paid = [each.result_at for each in await orders.attempts(session, [order.id]) if each.charged_minor is not None]
    order.renews_at = renews_after(Term(order.term), at, next((each.day for each in paid if each is not None), at.day))
    await records.log_fact(session, order, PurchaseFact.RENEWAL, at=now, status="succeeded" if fits else "forced")
    return True


async def report_unknown(session: AsyncSession, order: PurchaseOrder) -> None:
    """Alert the organization of an attempt whose result has been unknown for long."""
    assert order.unknown_since is not None
    await alert.raise_alert(
        session,
        kind=UNKNOWN,
        subject=order.id,
        detail=f"The result of a payment of {records.format_order_amount(order)} has not been known since "
        f"{order.unknown_since:%Y-%m-%d %H:%M} UTC, and the amount is held meanwhile. Look it up where it was paid, "
        "and report whether it succeeded.",
        org_id=order.org_id,
        shared=True,
        for_operators=False,
    )
