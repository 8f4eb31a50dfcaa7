"""Spend controls: what may be spent by or for whom. Owners and admins set them, and operators; spenders read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.csv_files import CSV
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Page, SearchText
from api.idempotency import Command, idempotency
from api.lists import CREATED, After, Asked, Items, ListOf
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization
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
from api.v1.spend_controls.schemas import (
    ControlChange,
    ControlCreate,
    ControlVersionView,
    ControlView,
    CountedSpendView,
    DepartmentLimitsSet,
    DepartmentLimitsView,
    RefusalView,
    StatusChange,
)
from api.v1.spends.own import confined, refuse_totals
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.ids import uuid_id
from domain.common.money import CREDIT
from domain.credits.spend.control import ControlKind, ControlStatus, SubjectKind
from domain.credits.spend.scope import SpendingKey
from models.credits.spend_control import SpendControl
from repositories.credits import department as departments
from repositories.credits import spend_control as controls
from repositories.tenants import name
from services.credits import spend_control
from services.credits.spend_control import Order

router = Resource(tags=["spend_controls"])

MayRepeat = Annotated[Command, idempotency(required=False)]

_VERSION = refusals.SpendControlVersion
_CLOSED = refusals.SpendControlClosed
_EXISTS = refusals.SpendControlExists
_CHANGING = errors(_VERSION, _CLOSED)


@router.post(
    "/spend-controls",
    status_code=201,
    response_model=ControlView,
    responses=errors(NotFound, _EXISTS),
)
async def create_spend_control(
    body: ControlCreate, deps: DepsDep, once: MayRepeat, actor: Actor = require(Permission.MANAGE_SPENDING)
) -> Response:
    """Create a spend control. A spend must fit into every control of its subjects and of those above them.

    A control of a key limits that key only, and not the other key that its principal may have. A control of an agent
    limits all its keys and sessions.
    """
    org_id = acting_organization(actor, body.organization_id)
    new, allowance = body.new(org_id), body.allowance(body.currency)

    async def act() -> ControlView:
        async with deps.database.platform() as session:
            order = order_of(actor, org_id, once, body)
            await note_price(deps, session, body.currency, order.at)
            return await _shown(session, await spend_control.create(session, order, new, allowance, body.parent()))

    return await once.run(act, status_code=201)


_LIST = ListOf(
    "spend-controls",
    ControlView,
    *(*CREATED, "organization_id", "currency"),
    order=[UUID],
    status=ControlStatus,
    subject_type=Annotated[SubjectKind | None, Query(description="Only controls of this type of subject.")],
    subject_id=Annotated[SearchText | None, Query(description="Only controls of this subject.")],
    open_only=Annotated[bool, Query(alias="open", description="Exclude closed controls.")],
)
_VERSIONS = versions_of("control", ControlVersionView)
_COUNTED = counted_of("counted-spends")
_REFUSALS = refused_of("refusals")


@router.get("/spend-controls", response_model=Page[ControlView], responses=errors(NotFound) | CSV)
async def list_spend_controls(
    deps: DepsDep,
    asked: Annotated[Asked, _LIST.asked],
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> Response:
    """List spend controls, newest first, with what is left of their limits.

    The key of an agent gets those of its agent and of the key. A member's key that is attributed to a department or a
    project gets those of that, of the agents in it, and of the key.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    org_id, open_only = listed_organization(actor, asked.organization_id), bool(asked.get("open_only"))
    wanted = asked.wanted(org_id, without=["open_only"], subject_type="subject_kind", currency="asset")
    of = confined(actor, key)

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            found = await controls.page(
                session, wanted, kind=ControlKind.LIMIT, open_only=open_only, of=of, after=after, limit=limit
            )
            return await _all_shown(session, found.rows), found.following

    return await asked.answer(read)


@router.get("/spend-controls/{control_id}", response_model=ControlView)
async def get_spend_control(control_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> ControlView:
    """Read one spend control."""
    async with deps.session_for(actor) as session:
        return await _shown(session, await readable(session, actor, key, control_id, ControlKind.LIMIT))


@router.put("/spend-controls/{control_id}", response_model=ControlView, responses=_CHANGING)
async def change_spend_control(
    control_id: str, body: ControlChange, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Replace what a control allows and its parent. The change applies to later spends."""
    row = await changeable(deps, actor, control_id, ControlKind.LIMIT)
    allowance = body.allowance(row.asset)

    async def act() -> ControlView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, body)
            await note_price(deps, session, row.asset, order.at)
            changed = await spend_control.change(session, order, row.id, allowance, body.parent())
            return await _shown(session, changed)

    return await once.run(act)


@router.post(
    "/spend-controls/{control_id}/freeze",
    response_model=ControlView,
    responses=_CHANGING,
)
async def freeze_spend_control(
    control_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Freeze a control until it is unfrozen or closed, whatever its term: new spends under it are refused.

    What is reserved can still be captured and released.
    """
    return await _set_status(deps, once, actor, control_id, body, ControlStatus.FROZEN)


@router.post("/spend-controls/{control_id}/unfreeze", response_model=ControlView, responses=_CHANGING)
async def unfreeze_spend_control(
    control_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Unfreeze a control: spending under it is allowed again, within its limits."""
    return await _set_status(deps, once, actor, control_id, body, ControlStatus.ACTIVE)


@router.post(
    "/spend-controls/{control_id}/close",
    response_model=ControlView,
    responses=errors(_VERSION, _CLOSED, refusals.SpendControlHasChildren),
)
async def close_spend_control(
    control_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Close a control permanently. It no longer limits anything, and a new one can be created for its subject."""
    return await _set_status(deps, once, actor, control_id, body, ControlStatus.CLOSED)


@router.get("/spend-controls/{control_id}/versions", response_model=Page[ControlVersionView], responses=CSV)
async def list_spend_control_versions(
    control_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: Annotated[Asked, _VERSIONS.asked]
) -> Response:
    """List the versions of what a control allowed, newest first, with who made each change.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    return await _lists(deps, actor, key, control_id).versions(asked, ControlVersionView)


@router.get("/spend-controls/{control_id}/spends", response_model=Page[CountedSpendView], responses=CSV)
async def list_counted_spends(
    control_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: Annotated[Asked, _COUNTED.asked]
) -> Response:
    """List the spends and escrows that count in a control, newest first. Keys of agents and members get their own only.

    A page scans a bounded number of the organization's spends. It may have fewer than `limit` items, or none, and
    still have a `next_cursor`.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    return await _lists(deps, actor, key, control_id).spends(asked)


@router.get("/spend-controls/{control_id}/refusals", response_model=Page[RefusalView], responses=CSV)
async def list_refusals(
    control_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: Annotated[Asked, _REFUSALS.asked]
) -> Response:
    """List the spends that a control refused, newest first: the first 1,000 of each window.

    The key of an agent or a member gets its own only, so a page may be short or empty and have a `next_cursor`.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    return await _lists(deps, actor, key, control_id).refusals(asked)


@router.get("/credits/departments/{department_id}/limits", tags=["departments"], response_model=DepartmentLimitsView)
async def get_department_limits(
    department_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep
) -> DepartmentLimitsView:
    """Show the daily and monthly limits of a department in credits, and what is left of them.

    Keys of agents are refused, and those of members that are attributed to another department.
    """
    async with deps.session_for(actor) as session:
        department = await departments.get(session, department_id)
        of = confined(actor, key)
        if of is not None and (of.agent_id or of.attribution.department_id not in department.path):
            refuse_totals(of)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
        row = await controls.of_subject(session, department.org_id, SubjectKind.DEPARTMENT, department_id, CREDIT)
        return await _limits_shown(session, department_id, row)


@router.put(
    "/credits/departments/{department_id}/limits",
    tags=["departments"],
    response_model=DepartmentLimitsView,
    responses=errors(_VERSION, _EXISTS),
)
async def set_department_limits(
    department_id: str, body: DepartmentLimitsSet, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Set the daily and monthly limits of a department in credits. They are stored in its spend control."""
    async with deps.session_for(actor) as session:
        org_id = (await departments.get(session, department_id)).org_id
    permit(actor, Permission.MANAGE_SPENDING)
    daily, monthly = body.minor()

    async def act() -> DepartmentLimitsView:
        async with deps.database.platform() as session:
            order = Order(actor=actor, org_id=org_id, command_id=once.command_id, at=datetime.now(UTC))
            row = await spend_control.limit_department(session, order, department_id, daily, monthly)
            return await _limits_shown(session, department_id, row)

    return await once.run(act)


async def _set_status(
    deps: Deps, once: Command, actor: Actor, control_id: str, body: StatusChange | None, status: ControlStatus
) -> Response:
    row = await changeable(deps, actor, control_id, ControlKind.LIMIT)

    async def act() -> ControlView:
        async with deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, body or StatusChange())
            return await _shown(session, await spend_control.set_status(session, order, row.id, status))

    return await once.run(act)


async def _shown(session: AsyncSession, row: SpendControl) -> ControlView:
    return (await _all_shown(session, [row]))[0]


async def _all_shown(session: AsyncSession, rows: Sequence[SpendControl]) -> list[ControlView]:
    now = datetime.now(UTC)
    counters = await controls.counted(session, rows, now)
    ids = {row.id: uuid_id("ctl", row.id) for row in rows}
    names = await name.named(session, ids.values(), None)
    return [ControlView.of(row, counters.get(row.id, {}), now, names.get(ids[row.id])) for row in rows]


async def _limits_shown(session: AsyncSession, department_id: str, row: SpendControl | None) -> DepartmentLimitsView:
    now = datetime.now(UTC)
    if row is not None and not spend_control.applies(row, now):
        row = None
    counters = {} if row is None else (await controls.counted(session, [row], now)).get(row.id, {})
    return DepartmentLimitsView.of(department_id, row, counters, now)


def _lists(deps: Deps, actor: Actor, key: SpendingKey, control_id: str) -> Lists:
    return Lists(deps, actor, key, control_id, ControlKind.LIMIT)
