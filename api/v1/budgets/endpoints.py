"""Budgets of agents, in pools. Owners, admins and operators set them; spenders read them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat, MovesMoney
from api.routing import Resource
from api.v1.budgets.schemas import BudgetChange, BudgetCreate, BudgetVersionView, BudgetView, EmergencyDeclare, PoolMove
from api.v1.spend_controls.kinds import CHANGING, Kind, add_controls, add_lists, require_changeable
from api.v1.spend_controls.schemas import StatusChange
from domain.common import errors as refusals
from domain.common.access import OperatorIssued, Permission
from domain.common.errors import Forbidden
from domain.common.ids import uuid_id
from domain.common.money import parse_amount
from domain.credits.spend.control import ControlKind, Pool
from models.credits.spend_control import SpendControl
from repositories.budgets import budget as budgets, budget_emergency as emergencies
from repositories.tenants import name
from services.budgets import budget
from services.credits.spend_control import ControlCommand

router = Resource(tags=["budgets"])

_CLOSED = refusals.SpendControlClosed


async def _all_shown(session: AsyncSession, rows: Sequence[SpendControl]) -> list[BudgetView]:
    now = datetime.now(UTC)
    states = await budgets.states(session, rows, now)
    declared = await emergencies.open_of(session, states, at=now)
    names = await name.names_of(session, [uuid_id("ctl", row.id) for row in rows], None)
    return [
        BudgetView.of(row, states[row.id], declared.get(row.id, ()), names.get(uuid_id("ctl", row.id))) for row in rows
    ]


_KIND = Kind(
    kind=ControlKind.BUDGET,
    noun="budget",
    word="budget",
    creation=BudgetCreate,
    changed=BudgetChange,
    view=BudgetView,
    version=BudgetVersionView,
    show=_all_shown,
    counted="budget-spends",
    refused="budget-refusals",
    of_create="""\
Create a budget: a spend control whose longest window, or another one, has a reserve and an emergency pool.

The amount of a window is the maximum spending; the operating part is the amount less the two pools. A spend
must fit into every budget and every limit of its subjects and of those above them.""",
    of_list="""\
List budgets, newest first, with the remainder of their pools.

The key of an agent gets the budgets above it. So does a member's key that is attributed to a department or a
project, and also gets those of the agents and parts in it.""",
    of_change="""\
Replace the terms of a budget and its parent. The change applies to later spends.

Moved and carried-over amounts stay in the present window.""",
    of_freeze="""\
Freeze a budget until it is unfrozen or closed: the next spend below it is refused, from every pool.

Reserved amounts can still be captured and released.""",
    of_unfreeze="Unfreeze a budget: spending under it is allowed again, within its pools.",
    of_counted=(
        "List spends, escrows and purchases that count in a budget, newest first. Keys of agents get their own only."
    ),
    of_refused="List refusals of a budget",
)
add_controls(router, _KIND)


@router.post(
    "/budgets/{budget_id}/pools/move",
    response_model=BudgetView,
    responses=errors(_CLOSED, refusals.BudgetPoolClosed, refusals.BudgetPoolTooSmall),
)
async def move_pool(budget_id: str, body: PoolMove, deps: DepsDep, once: MovesMoney, actor: ActorDep) -> Response:
    """Move an amount from one pool of a budget into another, for the rest of the present window.

    For owners, admins and finance. The reason is recorded in the audit trail.
    """
    row = await require_changeable(deps, actor, budget_id, _KIND.kind, Permission.MANAGE_BILLING)
    amount_minor = parse_amount(body.amount, row.asset)

    source, target = Pool(body.source.value), Pool(body.target.value)

    async def act(session: AsyncSession, order: ControlCommand) -> SpendControl:
        return await budget.move_between_pools(
            session, order, row, source=source, target=target, amount_minor=amount_minor
        )

    return await _KIND.write(deps, once, actor, row, StatusChange(reason=body.reason), act)


@router.post(
    "/budgets/{budget_id}/emergency",
    response_model=BudgetView,
    responses=errors(Forbidden, OperatorIssued, _CLOSED, refusals.BudgetPoolClosed, refusals.ApprovalSameOperator),
)
async def declare_emergency(
    budget_id: str, body: EmergencyDeclare, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Declare an emergency, or confirm one: the emergency pool can be drawn until it ends.

    One person declares it, and a second one confirms it with the same reason and end. Both are owners, admins or
    finance, and neither has issued the other's key. If all such keys of the organization belong to one person, no
    second one is needed.
    """
    row = await require_changeable(deps, actor, budget_id, _KIND.kind, Permission.MANAGE_BILLING)

    async def act(session: AsyncSession, order: ControlCommand) -> SpendControl:
        return await budget.declare_emergency(session, order, row, body.until)

    return await _KIND.write(deps, once, actor, row, StatusChange(reason=body.reason), act)


@router.post("/budgets/{budget_id}/emergency/end", response_model=BudgetView, responses=CHANGING)
async def end_emergency(
    budget_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """End an emergency immediately, and cancel unconfirmed declarations."""
    row = await require_changeable(deps, actor, budget_id, _KIND.kind, Permission.MANAGE_BILLING)

    async def act(session: AsyncSession, order: ControlCommand) -> SpendControl:
        return await budget.end_emergency(session, order, row)

    return await _KIND.write(deps, once, actor, row, body or StatusChange(), act)


add_lists(router, _KIND)
