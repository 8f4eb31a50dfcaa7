"""Budgets: what agents may spend, in pools. Owners and admins set them, and operators; spenders read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, require
from api.csv_files import CSV
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Page, SearchText
from api.idempotency import Command, idempotency
from api.lists import CREATED, After, Asked, Items, ListOf
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization
from api.v1.budgets.schemas import (
    BudgetChange,
    BudgetCreate,
    BudgetVersionView,
    BudgetView,
    EmergencyDeclare,
    PoolMove,
)
from api.v1.spend_controls.kinds import (
    Lists,
    changeable,
    counted_of,
    note_price,
    order_of,
    readable,
    refused_of,
    versions_of,
)
from api.v1.spend_controls.schemas import CountedSpendView, RefusalView, StatusChange
from api.v1.spends.own import confined
from domain.common import errors as refusals
from domain.common.access import Actor, OperatorIssued, Permission
from domain.common.errors import Forbidden, NotFound
from domain.common.ids import uuid_id
from domain.common.money import parse_amount
from domain.credits.spend.control import ControlKind, ControlStatus, Pool, SubjectKind
from models.credits.spend_control import SpendControl
from repositories.budgets import budget as budgets
from repositories.budgets import budget_emergency as emergencies
from repositories.credits import spend_control as controls
from repositories.tenants import name
from services.budgets import budget
from services.credits import spend_control

router = Resource(tags=["budgets"])

MayRepeat = Annotated[Command, idempotency(required=False)]
MovesMoney = Annotated[Command, idempotency(required=True)]

_KIND = ControlKind.BUDGET
_VERSION = refusals.SpendControlVersion
_CLOSED = refusals.SpendControlClosed
_CHANGING = errors(_VERSION, _CLOSED)


@router.post(
    "/budgets", status_code=201, response_model=BudgetView, responses=errors(NotFound, refusals.SpendControlExists)
)
async def create_budget(
    body: BudgetCreate, deps: DepsDep, once: MayRepeat, actor: Actor = require(Permission.MANAGE_SPENDING)
) -> Response:
    """Create a budget: a spend control whose longest window, or another one, has a reserve and an emergency pool.

    The amount of a window is the most that can go: what is left to operate with is the amount less the two pools. A
    spend must fit into every budget and every limit of its subjects and of those above them.
    """
    org_id = acting_organization(actor, body.organization_id)
    new, terms = body.new(org_id, _KIND), body.terms(body.currency)

    async def act() -> BudgetView:
        async with deps.database.platform() as session:
            order = order_of(actor, org_id, once, body, _KIND)
            await note_price(deps, session, body.currency, order.at)
            return await _shown(session, await spend_control.create(session, order, new, terms, body.parent()))

    return await once.run(act, status_code=201)


_LIST = ListOf(
    "budgets",
    BudgetView,
    *(*CREATED, "organization_id", "currency"),
    order=[UUID],
    status=ControlStatus,
    subject_type=Annotated[SubjectKind | None, Query(description="Only budgets of this type of subject.")],
    subject_id=Annotated[SearchText | None, Query(description="Only budgets of this subject.")],
    open_only=Annotated[bool, Query(alias="open", description="Exclude closed budgets.")],
)
_VERSIONS = versions_of("budget", BudgetVersionView)
_COUNTED = counted_of("budget-spends")
_REFUSALS = refused_of("budget-refusals")


@router.get("/budgets", response_model=Page[BudgetView], responses=errors(NotFound) | CSV)
async def list_budgets(
    deps: DepsDep,
    asked: Annotated[Asked, _LIST.asked],
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> Response:
    """List budgets, newest first, with what is left of their pools.

    The key of an agent gets the budgets above it. So does a member's key that is attributed to a department or a
    project, and also gets those of the agents and parts in it.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    org_id, open_only = listed_organization(actor, asked.organization_id), bool(asked.get("open_only"))
    wanted = asked.wanted(org_id, without=["open_only"], subject_type="subject_kind", currency="asset")
    of = confined(actor, key)

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            found = await controls.page(
                session, wanted, kind=_KIND, open_only=open_only, of=of, after=after, limit=limit
            )
            return await _all_shown(session, found.rows), found.following

    return await asked.answer(read)


@router.get("/budgets/{budget_id}", response_model=BudgetView)
async def get_budget(budget_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> BudgetView:
    """Read one budget."""
    async with deps.session_for(actor) as session:
        return await _shown(session, await readable(session, actor, key, budget_id, _KIND))


@router.put("/budgets/{budget_id}", response_model=BudgetView, responses=_CHANGING)
async def change_budget(
    budget_id: str, body: BudgetChange, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Replace what a budget allows and its parent. The change applies to later spends.

    What was moved and carried over stays with the present window.
    """
    row = await changeable(deps, actor, budget_id, _KIND)
    terms = body.terms(row.asset)

    async def act() -> BudgetView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, body, _KIND)
            await note_price(deps, session, row.asset, order.at)
            return await _shown(session, await spend_control.change(session, order, row.id, terms, body.parent()))

    return await once.run(act)


@router.post("/budgets/{budget_id}/freeze", response_model=BudgetView, responses=_CHANGING)
async def freeze_budget(
    budget_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Freeze a budget until it is unfrozen or closed: the next spend below it is refused, from every pool.

    What is reserved can still be captured and released.
    """
    return await _set_status(deps, once, actor, budget_id, body, ControlStatus.FROZEN)


@router.post("/budgets/{budget_id}/unfreeze", response_model=BudgetView, responses=_CHANGING)
async def unfreeze_budget(
    budget_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Unfreeze a budget: spending under it is allowed again, within its pools."""
    return await _set_status(deps, once, actor, budget_id, body, ControlStatus.ACTIVE)


@router.post(
    "/budgets/{budget_id}/close",
    response_model=BudgetView,
    responses=errors(_VERSION, _CLOSED, refusals.SpendControlHasChildren),
)
async def close_budget(
    budget_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Close a budget permanently. It no longer limits anything, and a new one can be created for its subject."""
    return await _set_status(deps, once, actor, budget_id, body, ControlStatus.CLOSED)


@router.post(
    "/budgets/{budget_id}/pools/move",
    response_model=BudgetView,
    responses=errors(_CLOSED, refusals.BudgetPoolClosed, refusals.BudgetPoolTooSmall),
)
async def move_pool(budget_id: str, body: PoolMove, deps: DepsDep, once: MovesMoney, actor: ActorDep) -> Response:
    """Move an amount from one pool of a budget into another, for the rest of the present window.

    Owners, admins and finance do so. The audit trail keeps the reason.
    """
    row = await changeable(deps, actor, budget_id, _KIND, Permission.MANAGE_BILLING)
    amount_minor = parse_amount(body.amount, row.asset)

    async def act() -> BudgetView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, StatusChange(reason=body.reason), _KIND)
            moved = await budget.move(
                session,
                order,
                row,
                source=Pool(body.source.value),
                target=Pool(body.target.value),
                amount_minor=amount_minor,
            )
            return await _shown(session, moved)

    return await once.run(act)


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
    finance, and neither has issued the other's key. A person who stands behind all such keys of the organization needs
    no second one.
    """
    row = await changeable(deps, actor, budget_id, _KIND, Permission.MANAGE_BILLING)

    async def act() -> BudgetView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, StatusChange(reason=body.reason), _KIND)
            return await _shown(session, await budget.declare_emergency(session, order, row, body.until))

    return await once.run(act)


@router.post("/budgets/{budget_id}/emergency/end", response_model=BudgetView, responses=_CHANGING)
async def end_emergency(
    budget_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """End an emergency at once, and with it the declarations that nobody has confirmed."""
    row = await changeable(deps, actor, budget_id, _KIND, Permission.MANAGE_BILLING)

    async def act() -> BudgetView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, body or StatusChange(), _KIND)
            return await _shown(session, await budget.end_emergency(session, order, row))

    return await once.run(act)


@router.get("/budgets/{budget_id}/versions", response_model=Page[BudgetVersionView], responses=CSV)
async def list_budget_versions(
    budget_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: Annotated[Asked, _VERSIONS.asked]
) -> Response:
    """List the versions of what a budget allowed, newest first, with who made each change.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    return await Lists(deps, actor, key, budget_id, _KIND).versions(asked, BudgetVersionView)


@router.get("/budgets/{budget_id}/spends", response_model=Page[CountedSpendView], responses=CSV)
async def list_budget_spends(
    budget_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: Annotated[Asked, _COUNTED.asked]
) -> Response:
    """List what counts in a budget, newest first: spends, escrows and purchases. Keys of agents get their own only.

    A page scans a bounded number of the organization's spends. It may have fewer than `limit` items, or none, and
    still have a `next_cursor`.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    return await Lists(deps, actor, key, budget_id, _KIND).spends(asked)


@router.get("/budgets/{budget_id}/refusals", response_model=Page[RefusalView], responses=CSV)
async def list_budget_refusals(
    budget_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: Annotated[Asked, _REFUSALS.asked]
) -> Response:
    """List what a budget refused, newest first: the first 1,000 of each window.

    The key of an agent or a member gets its own only, so a page may be short or empty and have a `next_cursor`.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    return await Lists(deps, actor, key, budget_id, _KIND).refusals(asked)


async def _set_status(
    deps: Deps, once: Command, actor: Actor, budget_id: str, body: StatusChange | None, status: ControlStatus
) -> Response:
    row = await changeable(deps, actor, budget_id, _KIND)

    async def act() -> BudgetView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, body or StatusChange(), _KIND)
            return await _shown(session, await spend_control.set_status(session, order, row.id, status))

    return await once.run(act)


async def _shown(session: AsyncSession, row: SpendControl) -> BudgetView:
    return (await _all_shown(session, [row]))[0]


async def _all_shown(session: AsyncSession, rows: Sequence[SpendControl]) -> list[BudgetView]:
    now = datetime.now(UTC)
    states = await budgets.states(session, rows, now)
    declared = await emergencies.open_of(session, states, at=now)
    names = await name.named(session, [uuid_id("ctl", row.id) for row in rows], None)
    return [
        BudgetView.of(row, states[row.id], declared.get(row.id, ()), names.get(uuid_id("ctl", row.id))) for row in rows
    ]
