"""Confirmation of purchases: only a person who approves purchases can lower the amount that budgets count.

Reports of an agent that would lower it (a smaller amount, a decline, a refund, the end of an attempted order) are
stored, and count once a person confirms them: until then a budget counts the whole hold and no refund. Payments with
Bursar's own cards and providers are confirmed by their bookings.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import EntryStatus, PurchaseFact
from domain.budgets.purchase_order import (
    Attempt,
    AttemptStatus,
    PurchaseOrderStatus,
    Term,
    allocate_refund,
    check_confirmation,
    renews_after,
    status_after_charge,
)
from domain.common.access import Actor, has_operator, refuse_operator_issued
from domain.common.errors import ApprovalStale
from ledger.purchases import Purchases
from models.budgets.purchase_order import PurchaseAttempt, PurchaseOrder
from models.credits.spend import PurchaseCount
from repositories.budgets import purchase_order as orders
from repositories.messages import alert
from repositories.tenants import api_key as keys, audit
from runtime.database import driver_connection
from services.budgets import purchase_record as records
from services.budgets.purchase_approval import DECIDES
from services.budgets.purchase_order import purchase_of

#: The kind of the alert about an agent with unconfirmed reports, and the number of orders from which it is raised.
UNCONFIRMED, UNCONFIRMED_ALERTS = "purchase_unconfirmed", 3


async def may_confirm(session: AsyncSession, actor: Actor) -> bool:
    """Return whether an actor's reports need no confirmation: it approves purchases with its own key.

    Sessions that a link opened, and keys that an operator issued, do not count.
    """
    if not actor.may(DECIDES) or actor.made_by is not None:
        return False
    return not has_operator(await keys.issuer_chain(session, actor))


async def confirm(
    session: AsyncSession,
    actor: Actor,
    order_id: str,
    *,
    charged_minor: int,
    refunded_minor: int,
    digest: str,
    reason: str | None,
    now: datetime,
) -> PurchaseOrder:
    """Make budgets count the total charged and refunded amounts that a person confirms, whatever was reported.

    Idempotent. The caller has checked `may_confirm`.
    """
    refuse_operator_issued(actor, await keys.issuer_chain(session, actor), "confirm purchases")
    order = await orders.get(session, order_id, lock=True)
    same = (charged_minor, refunded_minor) == (order.spent_minor, order.refunded_minor)
    if same and order.unconfirmed_since is None:
        return order
    present = digest_of_reports(order, await orders.attempts(session, [order.id]))
    if digest != present:
        raise ApprovalStale(
            "The purchase has changed since you read it. Read it again, compare it with the "
            "payment, and send its new digest.",
            extra={"digest": present},
        )
    return await _count(session, actor, order, charged_minor, refunded_minor, reason=reason, now=now)


async def correct(
    session: AsyncSession,
    actor: Actor,
    order: PurchaseOrder,
    number: int,
    charged_minor: int,
    reason: str | None,
    now: datetime,
) -> PurchaseOrder:
    """Make budgets count a person's correction of an attempt; other reports stay unconfirmed.

    The caller has checked `may_confirm`, holds the order's lock, and has written the attempt.
    """
    return await _count(session, actor, order, charged_minor, order.refunded_minor, reason=reason, now=now, only=number)


async def _count(
    session: AsyncSession,
    actor: Actor,
    order: PurchaseOrder,
    charged_minor: int,
    refunded_minor: int,
    *,
    reason: str | None,
    now: datetime,
    only: int | None = None,
) -> PurchaseOrder:
    """Make budgets count the amounts that a person confirms of a purchase, or of the attempt `only`."""
    rows, attempts = await orders.counts(session, order.id), await orders.attempts(session, [order.id])
    as_reported = (charged_minor, refunded_minor) == (order.reported_spent_minor, order.reported_refunded_minor)
    check_confirmation(
        PurchaseOrderStatus(order.status),
        attempts_of(attempts),
        was_held=bool(rows),
        charged_minor=charged_minor,
        refunded_minor=refunded_minor,
        is_explained=as_reported or reason is not None,
    )
    refunded = max(0, refunded_minor - order.refunded_minor)
    changed = charged_minor > 0 and mark_charged(order, now)
    order.spent_minor, order.refunded_minor = charged_minor, refunded_minor
    order.reported_spent_minor = charged_minor
    if only is None:
        order.reported_refunded_minor, order.cancel_reported_at = refunded_minor, None
    # A hold may be that of another attempt, of which only an agent says that it was declined.
    others = {each.number for each in attempts if each.status == AttemptStatus.DECLINED} - {only}
    await settle_counts(session, order, rows, now, releases=only is None or not others)
    await flag_unconfirmed(session, order, now=now, declined=None if only else False)
    await records.log_fact(
        session,
        order,
        PurchaseFact.CONFIRMATION,
        at=now,
        status=(EntryStatus.CONFIRMED if as_reported else EntryStatus.CORRECTED).value,
        amount_minor=charged_minor,
        reason=reason,
    )
    if refunded:
        await records.log_fact(session, order, PurchaseFact.REFUND, at=now, status="refunded", amount_minor=refunded)
    details = {"charged_minor": charged_minor, "refunded_minor": refunded_minor, "reason": reason}
    await audit.record(session, actor, "purchase_order.confirm", order.id, details, order.org_id)
    if changed:
        await records.record_status_event(session, order, at=now)
    return order


def digest_of_reports(order: PurchaseOrder, attempts: Sequence[PurchaseAttempt]) -> str:
    """Return the digest of an order's attempts, counts and reports, which a confirmation is bound to."""
    counted = [order.spent_minor, order.refunded_minor, order.reported_spent_minor, order.reported_refunded_minor]
    tried = sorted([each.number, each.status] for each in attempts)
    content = [counted, order.cancel_reported_at is not None, tried]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def mark_charged(order: PurchaseOrder, now: datetime) -> bool:
    """Set the status of an order that was charged; returns whether it changed."""
    before = order.status
    order.status = status_after_charge(PurchaseOrderStatus(before)).value
    if order.status != before:
        order.held_until = None
        if order.term is not None:
            order.renews_at = renews_after(Term(order.term), now, now.day)
    return order.status != before


async def settle_counts(
    session: AsyncSession, order: PurchaseOrder, rows: Sequence[PurchaseCount], now: datetime, *, releases: bool = True
) -> None:
    """Make budgets count the charges of an order less its refunds, from its holds, and beyond them as forced.

    With `releases` its holds end, except the present one of an order that can still be paid.
    """
    purchases = Purchases(await driver_connection(session), order.org_id)
    more = order.spent_minor - order.refunded_minor - sum(row.spent - row.refunded for row in rows)
    returned = allocate_refund([(row.number, row.spent, row.refunded) for row in rows], max(0, -more))
    for row in rows:
        is_kept = order.status == PurchaseOrderStatus.APPROVED and row.number == order.counts
        held = 0 if is_kept else held_of(row)
        spent = min(max(0, more), held)
        more -= spent
        gone = held - spent if releases else 0
        refunded = returned.get(row.number, row.refunded)
        if spent or gone or refunded != row.refunded:
            await purchases.move(
                order.id,
                row.number,
                spent_minor=row.spent + spent,
                returned_minor=row.returned + gone,
                refunded_minor=refunded,
                at=now,
            )
    if more > 0:
        await count_forced(session, order, more, now)


async def count_forced(session: AsyncSession, order: PurchaseOrder, amount_minor: int, now: datetime) -> None:
    """Count a charge beyond all holds of an order as forced, and raise an alert."""
    order.counts += 1
    purchases = Purchases(await driver_connection(session), order.org_id)
    await purchases.authorize(purchase_of(order, number=order.counts, amount_minor=amount_minor, forced=True), at=now)
    await records.alert_forced_charge(session, order, order.counts, amount_minor)


async def release_holds(
    session: AsyncSession, order: PurchaseOrder, rows: Sequence[PurchaseCount], now: datetime
) -> None:
    """Release the holds of an order's counts."""
    purchases = Purchases(await driver_connection(session), order.org_id)
    for row in rows:
        if held_of(row):
            await purchases.move(
                order.id,
                row.number,
                spent_minor=row.spent,
                returned_minor=row.amount - row.spent,
                refunded_minor=row.refunded,
                at=now,
            )


def held_of(row: PurchaseCount) -> int:
    """Return the amount that a count still holds."""
    return row.amount - row.spent - row.returned


async def flag_unconfirmed(
    session: AsyncSession, order: PurchaseOrder, *, now: datetime, declined: bool | None = None
) -> None:
    """Flag an order with unconfirmed reports, and raise an alert about an agent with many of them.

    Args:
        session: with the platform's role.
        order: after the change.
        now: the time.
        declined: for an order that can still be paid, whether a decline is unconfirmed; None: unchanged.
    """
    waits = order.unconfirmed_since is not None if declined is None else declined
    if order.status != PurchaseOrderStatus.APPROVED:
        held = any(held_of(row) for row in await orders.counts(session, order.id))
        reported = (order.reported_spent_minor, order.reported_refunded_minor)
        waits = held or reported != (order.spent_minor, order.refunded_minor) or order.cancel_reported_at is not None
    before, order.unconfirmed_since = order.unconfirmed_since, (order.unconfirmed_since or now) if waits else None
    if (before is None) is not waits:
        return
    await session.flush()
    number = await orders.unconfirmed(session, order.org_id, order.agent_id, limit=UNCONFIRMED_ALERTS)
    if waits and number >= UNCONFIRMED_ALERTS:
        await alert.raise_alert(
            session,
            kind=UNCONFIRMED,
            subject=order.agent_id,
            detail="An agent has reported declines, refunds or smaller amounts of at least "
            f"{UNCONFIRMED_ALERTS} purchases that are not confirmed. They count in no budget until a person confirms "
            "them. Compare them with the actual charges.",
            org_id=order.org_id,
            key=f"{UNCONFIRMED}:{order.agent_id}:{now:%Y-%m-%d}",
            shared=True,
            for_operators=False,
        )
    elif number == 0:
        await alert.close_cases(session, order.agent_id, [UNCONFIRMED])


def attempts_of(rows: Sequence[PurchaseAttempt]) -> list[Attempt]:
    """Return attempts for the rules of the domain."""
    return [Attempt(number=each.number, status=AttemptStatus(each.status)) for each in rows]
