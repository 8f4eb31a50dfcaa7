"""Grants and refusals of purchases that need approval, and their decline without an answer."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import PurchaseFact
from domain.budgets.purchase_order import (
    DecisionCode,
    LiftedLimit,
    Person,
    PurchaseOrderStatus,
    check_grant,
    grant_digest,
)
from domain.budgets.purchase_rules import PurchaseRules
from domain.common import errors as refusals
from domain.common.access import PERMISSIONS, Actor, Permission, Role, refuse_by_link, refuse_operator_issued
from domain.common.errors import Invalid, NotFound, other_request
from domain.common.ids import uuid_of
from ledger.controls import MISSING
from ledger.purchases import Purchases
from ledger.spends import LiftedWindow, Pool
from models.budgets.purchase_order import PurchaseGrant, PurchaseOrder
from repositories.budgets import purchase_order as orders
from repositories.common.command import row_of_command
from repositories.credits import spend_control as controls
from repositories.tenants import api_key as keys, audit
from runtime.database import driver_connection
from services.budgets import purchase_record as records
from services.budgets.purchase_order import budget_refusal, mark_approved, purchase_of
from services.credits.spend import limit_exceeded

#: The permission for granting and refusing purchases.
DECIDES = Permission.MANAGE_BILLING


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecision:
    """Approval, bound to the digest of the order that was shown; None keeps the order's pool and lifted windows."""

    digest: str
    pool: Pool | None = None
    lifts: tuple[LiftedLimit, ...] | None = None
    reason: str | None = None


def digest_of(order: PurchaseOrder) -> str:
    """Return the digest of an order."""
    return grant_digest(
        item=order.item,
        vendor=order.vendor,
        amount_minor=order.amount_minor,
        currency=order.currency,
        pool=order.pool,
        lifts=records.lifts_of(order.lifts),
    )


async def grant(
    session: AsyncSession,
    actor: Actor,
    order_id: str,
    given: ApprovalDecision,
    *,
    command_id: str,
    rules: PurchaseRules,
    now: datetime,
) -> PurchaseOrder:
    """Grant a purchase; the last required grant holds the amount in the budgets, in this transaction.

    Once for each command: a repetition returns the order.

    Raises:
        NotFound: there is no such order, or the organization has no budget with a window to lift.
    """
    order = await _decided_by(session, actor, order_id)
    made = await _made(session, actor, order, command_id, granted=True, reason=given.reason)
    if made is not None:
        if given.pool not in {None, made.pool} or given.lifts not in {None, records.lifts_of(made.lifts)}:
            raise other_request()
        return order
    refuse_operator_issued(actor, await keys.issuer_chain(session, actor), "approve purchases")
    before = [each for each in await orders.grants(session, [order.id]) if each.granted]
    by = await _person(session, actor, order.org_id)
    asked_by = await _asked_by(session, order, None if actor.is_platform else order.org_id)
    if by.line & asked_by.line and not await _is_anybody_else(session, order, asked_by):
        # All keys lead back to one person, who then approves what its agents propose.
        asked_by = replace(asked_by, line=frozenset({asked_by.name.lower()}))
    check_grant(
        PurchaseOrderStatus(order.status),
        given=given.digest,
        present=digest_of(order),
        requested_at=order.created_at,
        answer_by=order.answer_by,
        at=now,
        asked_by=asked_by,
        by=by,
        before=[await _granter(session, each) for each in before],
    )
    pool = order.pool if given.pool is None else given.pool.value
    lifts = records.lifts_of(order.lifts) if given.lifts is None else given.lifts
    if before and (pool != order.pool or set(lifts) != set(records.lifts_of(order.lifts))):
        raise refusals.ApprovalStale(
            "Another person has approved it with another pool or other windows. Approve the same, or refuse.",
            extra={"digest": digest_of(order)},
        )
    await _check_lifts(session, order.org_id, lifts)
    order.pool, order.lifts = pool, records.stored_lifts(lifts)
    _write(session, order, actor, granted=True, reason=given.reason, command_id=command_id, at=now)
    enough = len(before) + 1 >= order.persons
    if enough:
        await _take(session, order, rules=rules, now=now)
    await records.log_fact(session, order, PurchaseFact.APPROVAL, at=now)
    details = {"pool": pool, "lifts": order.lifts, "reason": given.reason}
    await audit.record(session, actor, "purchase_order.grant", order.id, details, order.org_id)
    if enough:
        await records.record_status_event(session, order, at=now)
        await records.resolve_approval_alert(session, order)
        await records.alert_draw(session, order, 0, order.pool, at=now)
    return order


async def refuse(
    session: AsyncSession, actor: Actor, order_id: str, *, reason: str | None, command_id: str, now: datetime
) -> PurchaseOrder:
    """Refuse a purchase that needs approval. Once for each command: a repetition returns the order.

    Raises:
        NotFound: there is no such order. WrongState: it does not need approval.
    """
    order = await _decided_by(session, actor, order_id)
    if await _made(session, actor, order, command_id, granted=False, reason=reason) is not None:
        return order
    if order.status != PurchaseOrderStatus.NEEDS_APPROVAL:
        raise refusals.WrongOrderState(
            f"This order is {order.status}, so nothing of it waits to be approved.", extra={"state": order.status}
        )
    name = actor.qualified().lower()
    if any(each.principal == name for each in await orders.grants(session, [order.id])):
        raise refusals.ApprovalDecided(
            "You have approved this purchase already. Another person can refuse it.", extra={"state": order.status}
        )
    _write(session, order, actor, granted=False, reason=reason, command_id=command_id, at=now)
    await audit.record(session, actor, "purchase_order.refuse", order.id, {"reason": reason}, order.org_id)
    await _decline(session, order, DecisionCode.REFUSED, "A person has refused the purchase.", now)
    return order


async def decline_unanswered(session: AsyncSession, order_id: str, *, now: datetime) -> PurchaseOrder:
    """Decline a purchase whose time to answer is over; one that was answered, or is not due, does not change."""
    order = await orders.get(session, order_id, lock=True)
    if order.status == PurchaseOrderStatus.NEEDS_APPROVAL and order.answer_by is not None and now >= order.answer_by:
        await _decline(session, order, DecisionCode.UNANSWERED, "Nobody has approved the purchase in time.", now)
    return order


async def _decline(
    session: AsyncSession, order: PurchaseOrder, code: DecisionCode, sentence: str, now: datetime
) -> None:
    order.status, order.answer_by = PurchaseOrderStatus.DECLINED_POLICY.value, None
    order.decision = records.decision_json(code, sentence)
    what = PurchaseFact.APPROVAL if code is DecisionCode.REFUSED else PurchaseFact.DECISION
    await records.log_fact(session, order, what, at=now)
    await records.record_status_event(session, order, at=now)
    await records.resolve_approval_alert(session, order)


async def _take(session: AsyncSession, order: PurchaseOrder, *, rules: PurchaseRules, now: datetime) -> None:
    lifted = [
        LiftedWindow(control_id=uuid_of(lift.budget_id), window=lift.window.value)
        for lift in records.lifts_of(order.lifts)
    ]
    price = await records.price_of(session, order, at=now)
    spent = await Purchases(await driver_connection(session), order.org_id).authorize(
        purchase_of(order, granted=True, lifted=lifted, margin=rules.margin), at=now
    )
    refusal = budget_refusal(spent)
    if refusal is not None:
        raise limit_exceeded(refusal)
    await mark_approved(session, order, DecisionCode.GRANTED, price, until=now + rules.hold, now=now)


async def _decided_by(session: AsyncSession, actor: Actor, order_id: str) -> PurchaseOrder:
    """Lock and return an order that the actor may decide on."""
    refuse_by_link(actor, "approve or refuse purchases")
    order = await orders.get(session, order_id, lock=True)
    if actor.org_id not in {None, order.org_id}:
        raise NotFound(orders.MISSING)
    return order


async def _made(
    session: AsyncSession, actor: Actor, order: PurchaseOrder, command_id: str, *, granted: bool, reason: str | None
) -> PurchaseGrant | None:
    made = await row_of_command(session, PurchaseGrant, command_id)
    same = (order.id, actor.qualified().lower(), granted, reason)
    if made is not None and (made.order_id, made.principal, made.granted, made.reason) != same:
        raise other_request()
    return made


def _write(
    session: AsyncSession,
    order: PurchaseOrder,
    actor: Actor,
    *,
    granted: bool,
    reason: str | None,
    command_id: str,
    at: datetime,
) -> None:
    session.add(
        PurchaseGrant(
            order_id=order.id,
            principal=actor.qualified().lower(),
            org_id=order.org_id,
            granted=granted,
            digest=digest_of(order),
            pool=order.pool,
            lifts=order.lifts,
            reason=reason,
            key_id=actor.key_id,
            session_id=actor.session_id,
            command_id=command_id,
            at=at,
        )
    )


async def _check_lifts(session: AsyncSession, org_id: str, lifts: tuple[LiftedLimit, ...]) -> None:
    for lift in lifts:
        row = await controls.get(session, lift.budget_id)
        if row.org_id != org_id or row.kind != "budget":
            raise NotFound(MISSING)
        if lift.window.value not in row.windows:
            raise Invalid(
                f"The budget {lift.budget_id} has no window {lift.window.value} to lift.", extra={"field": "lifts"}
            )


async def _person(session: AsyncSession, actor: Actor, org_id: str) -> Person:
    found = await _issued(session, actor.key_id, None if actor.is_platform else org_id)
    return Person(
        name=actor.qualified(),
        line=frozenset() if found is None else found.line,
        key_at=None if found is None else found.at,
    )


async def _asked_by(session: AsyncSession, order: PurchaseOrder, org_id: str | None) -> Person:
    found = await _issued(session, order.key_id, org_id)
    name = f"{order.org_id}/{order.principal}"
    return Person(name=name, line=frozenset() if found is None else found.line, key_at=None)


async def _granter(session: AsyncSession, row: PurchaseGrant) -> Person:
    found = await _issued(session, row.key_id, row.org_id)
    return Person(name=row.principal, line=frozenset() if found is None else found.line, key_at=None)


async def _issued(session: AsyncSession, key_id: str | None, org_id: str | None) -> keys.KeyOrigin | None:
    found = await keys.key_origin(session, key_id, people_are_own=True)
    if found is None or org_id is None:
        return found
    return replace(found, line=frozenset(name for name in found.line if name.startswith(f"{org_id}/")))


async def _is_anybody_else(session: AsyncSession, order: PurchaseOrder, asked_by: Person) -> bool:
    """Return whether a key unrelated to the proposer's can approve a purchase.

    A person's proposal always needs somebody else; an agent's only if there is anybody.
    """
    proposed = None if order.key_id is None else await keys.find(session, order.key_id)
    if proposed is None or proposed.agent_id is None:
        return True
    roles = [role for role in Role if DECIDES in PERMISSIONS[role]]
    for key_id in await keys.active_with(session, order.org_id, roles):
        found = await _issued(session, key_id, order.org_id)
        if found is not None and found.at < order.created_at and not found.line & asked_by.line:
            return True
    return False
