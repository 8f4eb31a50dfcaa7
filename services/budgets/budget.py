"""Budgets: pools moved by hand, and emergencies, which two persons declare."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.budget import EMERGENCY_LASTS
from domain.common import errors as refusals
from domain.common.access import PERMISSIONS, Permission, refuse_by_link, refuse_operator_issued
from domain.common.errors import Forbidden, Invalid
from domain.common.ids import uuid_id
from domain.common.money import format_amount
from domain.credits.spend.control import ControlStatus, Pool
from ledger.purchases import Purchases
from models.budgets.budget_emergency import BudgetEmergency
from models.credits.spend_control import SpendControl, SpendControlVersion
from repositories.budgets import budget_emergency as emergencies
from repositories.common.command import lock_command, require_same_request, row_of_command
from repositories.credits import spend_control as controls
from repositories.tenants import api_key, audit
from repositories.tenants.api_key import KeyOrigin
from runtime.database import driver_connection
from services.budgets import pool_alerts
from services.credits.spend_control import ControlCommand, write

#: Whose confirmation counts: the roles that answer for the organization's money.
_PERSONS = frozenset(role.value for role, may in PERMISSIONS.items() if Permission.MANAGE_BILLING in may)
_NO_POOL = "The budget has no emergency pool. State one first."


async def move_between_pools(
    session: AsyncSession, order: ControlCommand, budget: SpendControl, *, source: Pool, target: Pool, amount_minor: int
) -> SpendControl:
    """Move an amount from one pool of a budget's present window into another, with a reason; once for each command.

    Raises:
        Invalid: the pools are the same, or the budget has none of one of them; there is no reason.
    """
    stated = {Pool.OPERATING: budget.pools_of, Pool.RESERVE: budget.reserve, Pool.EMERGENCY: budget.emergency}
    for name, pool in (("from", source), ("to", target)):
        if stated.get(pool) is None:
            raise Invalid(f"The budget has no {pool.value} pool.", extra={"field": name})
    if source is target:
        raise Invalid("Move from one pool to another.", extra={"field": "to"})
    assert order.reason is not None
    await Purchases(await driver_connection(session), order.org_id).move_pool(
        budget.id,
        from_pool=source,
        to_pool=target,
        amount_minor=amount_minor,
        asset=budget.asset,
        by=order.actor.qualified(),
        reason=order.reason,
        command_id=order.command_id,
        at=order.at,
    )
    shown = uuid_id("ctl", budget.id)
    details = {"from": source.value, "to": target.value, "amount": format_amount(amount_minor, budget.asset)}
    await audit.record(session, order.actor, "budget.move", shown, details | {"reason": order.reason}, order.org_id)
    return await controls.get(session, shown)


async def declare_emergency(
    session: AsyncSession, order: ControlCommand, budget: SpendControl, until: datetime
) -> SpendControl:
    """Declare an emergency, or confirm the one that another person has declared with the same reason and end.

    The second person opens the emergency pool until then. One person suffices who stands behind all the keys of the
    organization whose role may confirm.

    Raises:
        Forbidden: the caller is of the platform, or has signed in by a link of somebody else.
        Invalid: the end is not within seven days from now; there is no reason.
    """
    actor, reason = order.actor, order.reason
    assert reason is not None
    await lock_command(session, f"budget_emergency:{budget.id}")
    if await row_of_command(session, SpendControlVersion, order.command_id) is not None:
        return await _open(session, order, budget.id, until)
    me = await _person(session, order)
    if not order.at < until <= order.at + EMERGENCY_LASTS:
        raise Invalid("until must be in the future, at most seven days from now.", extra={"field": "until"})
    if budget.status == ControlStatus.CLOSED:
        raise refusals.SpendControlClosed("The budget is closed. Open another one.")
    if not budget.emergency:
        raise refusals.BudgetPoolClosed(_NO_POOL, extra={"pool": Pool.EMERGENCY.value})
    new = BudgetEmergency(
        org_id=order.org_id,
        control_id=budget.id,
        reason=reason,
        ends_at=until,
        declared_by=actor.qualified(),
        declared_key=actor.key_id,
        declared_at=order.at,
        command_id=order.command_id,
    )
    made = await row_of_command(session, BudgetEmergency, order.command_id)
    if made is not None:
        require_same_request(made, new, ("control_id", "reason", "ends_at"))
        return await controls.get(session, uuid_id("ctl", budget.id))
    not_ended = (await emergencies.open_of(session, [budget.id], at=order.at)).get(budget.id, ())
    waiting = (each for each in not_ended if each.begun_at is None)
    same = [each for each in waiting if (each.reason, each.ends_at) == (reason, until)]
    for each in same:
        if await _is_another(session, each, me):
            each.confirmed_by, each.begun_at = actor.qualified(), order.at
            return await _open(session, order, budget.id, until)
    if await api_key.is_only_person(session, order.org_id, actor.qualified(), _PERSONS):
        new.begun_at = order.at
        session.add(new)
        return await _open(session, order, budget.id, until)
    if same:
        raise refusals.ApprovalSameOperator(
            "Another person has to confirm this, with a key that is older than the declaration. Keys count as one "
            "person's when one of them issued the other, or the same person issued both."
        )
    session.add(new)
    await session.flush()
    shown = uuid_id("ctl", budget.id)
    details = {"reason": reason, "until": until.isoformat()}
    await audit.record(session, actor, "budget.declare_emergency", shown, details, order.org_id)
    await pool_alerts.alert_emergency_waiting(session, order.org_id, shown, actor.qualified(), until)
    return await controls.get(session, shown)


async def end_emergency(session: AsyncSession, order: ControlCommand, budget: SpendControl) -> SpendControl:
    """End an emergency before its time, and cancel what waits for a second person; one person suffices."""
    await lock_command(session, f"budget_emergency:{budget.id}")
    for each in (await emergencies.open_of(session, [budget.id], at=order.at)).get(budget.id, ()):
        each.ended_by, each.ended_at = order.actor.qualified(), order.at
    await session.flush()
    await pool_alerts.close_emergencies(session, order.at)
    return await write(session, order, budget.id, {"emergency_until": None}, "end_emergency")


async def _open(session: AsyncSession, order: ControlCommand, control_id: UUID, until: datetime) -> SpendControl:
    await session.flush()
    await pool_alerts.close_emergencies(session, order.at)
    return await write(session, order, control_id, {"emergency_until": until.isoformat()}, "emergency")


async def _person(session: AsyncSession, order: ControlCommand) -> KeyOrigin:
    refuse_by_link(order.actor, "declare an emergency")
    person = None
    if not order.actor.is_platform and order.actor.key_id is not None:
        person = await api_key.key_origin(session, order.actor.key_id, first_is_own=True)
    if person is None:
        raise Forbidden("Only people of the organization declare an emergency.")
    refuse_operator_issued(order.actor, person.line, "declare an emergency")
    return person


async def _is_another(session: AsyncSession, waiting: BudgetEmergency, me: KeyOrigin) -> bool:
    """Return whether declarer and confirmer differ; see `domain.common.approval.require_second_operator`."""
    theirs = await api_key.key_origin(session, waiting.declared_key, first_is_own=True)
    line = {waiting.declared_by.lower()} | (frozenset() if theirs is None else theirs.line)
    return not line & me.line and me.at < waiting.declared_at
