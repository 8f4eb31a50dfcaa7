"""Spend controls: what may be spent by or for whom. Owners and admins set them, and operators; spenders read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page, SearchText
from api.idempotency import Command, idempotency
from api.pagination import (
    DEFAULT_LIMIT,
    CursorParam,
    LimitParam,
    encode_cursor,
    id_cursor,
    id_page,
    number_cursor,
)
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization
from api.v1.spend_controls.schemas import (
    AllowanceSet,
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
from domain.access import Actor, Permission
from domain.errors import Conflict, Forbidden, NotFound
from domain.ids import uuid_of
from domain.money import CREDIT
from domain.spend.control import ControlStatus, SubjectKind
from models.spend_control import SpendControl
from repositories import department as departments
from repositories import spend_control as controls
from repositories.spend import shown_id
from services import exchange_rate, spend_control
from services.spend_control import Order

router = Resource(tags=["spend_controls"])

MayRepeat = Annotated[Command, idempotency(required=False)]

_VERSION = (Conflict, "spend_control.version")
_CLOSED = (Conflict, "spend_control.closed")
_CHANGING = errors(NotFound, Forbidden, _VERSION, _CLOSED)


@router.post(
    "/spend-controls",
    status_code=201,
    response_model=ControlView,
    responses=errors(NotFound, (Conflict, "spend_control.exists")),
)
async def create_spend_control(
    body: ControlCreate, deps: DepsDep, once: MayRepeat, actor: Actor = require(Permission.MANAGE_SPENDING)
) -> Response:
    """Open a spend control. A spend has to fit into every control of its subjects and those above them."""
    org_id = acting_organization(actor, body.organization_id)
    new, allowance = body.new(org_id), body.allowance(body.currency)

    async def act() -> ControlView:
        async with deps.database.platform() as session:
            order = _order(actor, org_id, once, body)
            await _note_price(deps, session, body.currency, order.at)
            return await _shown(session, await spend_control.create(session, order, new, allowance, body.parent()))

    return await once.run(act, status_code=201)


@router.get("/spend-controls", response_model=Page[ControlView], responses=errors(NotFound))
async def list_spend_controls(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    subject_type: Annotated[SubjectKind | None, Query(description="Only controls of such subjects.")] = None,
    subject_id: Annotated[SearchText | None, Query(description="Only controls of this subject.")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Exclude closed controls.")] = False,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[ControlView]:
    """List spend controls, newest first, with what is left of their limits."""
    org_id, before = listed_organization(actor, organization_id), id_cursor(cursor, "ctl")
    async with deps.session_for(actor) as session:
        rows = await controls.page(
            session,
            org_id=org_id,
            kind=subject_type,
            subject_id=subject_id,
            open_only=open_only,
            before=None if before is None else uuid_of(before),
            limit=limit + 1,
        )
        return id_page(await _all_shown(session, rows), limit, "ctl", lambda view: view)


@router.get("/spend-controls/{control_id}", response_model=ControlView, responses=errors(NotFound, Forbidden))
async def get_spend_control(control_id: str, deps: DepsDep, actor: ActorDep) -> ControlView:
    """Read one spend control."""
    async with deps.session_for(actor) as session:
        return await _shown(session, await _readable(session, actor, control_id))


@router.put("/spend-controls/{control_id}", response_model=ControlView, responses=_CHANGING)
async def change_spend_control(
    control_id: str, body: ControlChange, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Replace what a control allows and where it stands. It acts on what is spent afterwards."""
    row = await _changeable(deps, actor, control_id)
    allowance = body.allowance(row.asset)

    async def act() -> ControlView:
        async with deps.database.platform() as session:
            order = _order(actor, row.org_id, once, body)
            await _note_price(deps, session, row.asset, order.at)
            changed = await spend_control.change(session, order, row.id, allowance, body.parent())
            return await _shown(session, changed)

    return await once.run(act)


@router.post("/spend-controls/{control_id}/freeze", response_model=ControlView, responses=_CHANGING)
async def freeze_spend_control(
    control_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Refuse everything that is spent under a control. What is reserved can still be captured and released."""
    return await _set_status(deps, once, actor, control_id, body, ControlStatus.FROZEN)


@router.post("/spend-controls/{control_id}/unfreeze", response_model=ControlView, responses=_CHANGING)
async def unfreeze_spend_control(
    control_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """Allow spending under a control again, within its limits."""
    return await _set_status(deps, once, actor, control_id, body, ControlStatus.ACTIVE)


@router.post(
    "/spend-controls/{control_id}/close",
    response_model=ControlView,
    responses=errors(NotFound, Forbidden, _VERSION, _CLOSED, (Conflict, "spend_control.has_children")),
)
async def close_spend_control(
    control_id: str, deps: DepsDep, once: MayRepeat, actor: ActorDep, body: StatusChange | None = None
) -> Response:
    """End a control permanently. It limits nothing any more, and another one can be opened for its subject."""
    return await _set_status(deps, once, actor, control_id, body, ControlStatus.CLOSED)


@router.get(
    "/spend-controls/{control_id}/versions",
    response_model=Page[ControlVersionView],
    responses=errors(NotFound, Forbidden),
)
async def list_spend_control_versions(
    control_id: str, deps: DepsDep, actor: ActorDep, limit: LimitParam = DEFAULT_LIMIT, cursor: CursorParam = None
) -> Page[ControlVersionView]:
    """List what a control allowed, the newest version first, with who changed it."""
    before = number_cursor(cursor, "control_version")
    async with deps.session_for(actor) as session:
        control = await _readable(session, actor, control_id)
        rows = await controls.versions(session, control.id, before=before, limit=limit + 1)
    shown = rows[:limit]
    following = encode_cursor("control_version", shown[-1].version) if len(rows) > limit else None
    return Page(data=[ControlVersionView.of(row, control.asset) for row in shown], next_cursor=following)


@router.get(
    "/spend-controls/{control_id}/spends",
    response_model=Page[CountedSpendView],
    responses=errors(NotFound, Forbidden),
)
async def list_counted_spends(
    control_id: str, deps: DepsDep, actor: ActorDep, limit: LimitParam = DEFAULT_LIMIT, cursor: CursorParam = None
) -> Page[CountedSpendView]:
    """List the spends that count in a control, newest first.

    They are looked for among the organization's spends, a bounded number of them for each page: a page may have fewer
    than `limit`, or none, and still a `next_cursor`.
    """
    before = id_cursor(cursor, "spd")
    async with deps.session_for(actor) as session:
        control = await _readable(session, actor, control_id)
        position = None if before is None else uuid_of(before)
        rows, following = await controls.spends(session, control, before=position, limit=limit)
    views = [CountedSpendView.of(row, counted, control.asset) for row, counted in rows]
    return Page(data=views, next_cursor=None if following is None else encode_cursor("spd", shown_id(following)))


@router.get(
    "/spend-controls/{control_id}/refusals", response_model=Page[RefusalView], responses=errors(NotFound, Forbidden)
)
async def list_refusals(
    control_id: str, deps: DepsDep, actor: ActorDep, limit: LimitParam = DEFAULT_LIMIT, cursor: CursorParam = None
) -> Page[RefusalView]:
    """List what a control refused, newest first: the first 1,000 of each window."""
    before = id_cursor(cursor, "rfs")
    async with deps.session_for(actor) as session:
        control = await _readable(session, actor, control_id)
        position = None if before is None else uuid_of(before)
        rows = await controls.refusals(session, control, before=position, limit=limit + 1)
    return id_page([RefusalView.of(row, control.asset) for row in rows], limit, "rfs", lambda view: view)


@router.get(
    "/credits/departments/{department_id}/limits",
    tags=["departments"],
    response_model=DepartmentLimitsView,
    responses=errors(NotFound, Forbidden),
)
async def get_department_limits(department_id: str, deps: DepsDep, actor: ActorDep) -> DepartmentLimitsView:
    """Show the daily and the monthly limit of a department in credits, and what is left of them."""
    async with deps.session_for(actor) as session:
        department = await departments.get(session, department_id)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
        row = await controls.of_subject(session, department.org_id, SubjectKind.DEPARTMENT, department_id, CREDIT)
        return await _limits_shown(session, department_id, row)


@router.put(
    "/credits/departments/{department_id}/limits",
    tags=["departments"],
    response_model=DepartmentLimitsView,
    responses=errors(NotFound, Forbidden, _VERSION),
)
async def set_department_limits(
    department_id: str, body: DepartmentLimitsSet, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Set the daily and the monthly limit of a department in credits: a short form of its spend control."""
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


async def _note_price(deps: Deps, session: AsyncSession, currency: str, at: datetime) -> None:
    """Have a control in money count from its first spend on."""
    if currency != CREDIT:
        price = deps.settings.payment_rules.credit
        await exchange_rate.note_price(session, price, at)


async def _set_status(
    deps: Deps, once: Command, actor: Actor, control_id: str, body: StatusChange | None, status: ControlStatus
) -> Response:
    row = await _changeable(deps, actor, control_id)

    async def act() -> ControlView:
        async with deps.database.platform() as session:
            order = _order(actor, row.org_id, once, body or StatusChange())
            return await _shown(session, await spend_control.set_status(session, order, row.id, status))

    return await once.run(act)


async def _readable(session: AsyncSession, actor: Actor, control_id: str) -> SpendControl:
    row = await controls.get(session, control_id)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return row


async def _changeable(deps: Deps, actor: Actor, control_id: str) -> SpendControl:
    """Return the control that the actor means, before the role is judged: 404 comes before 403."""
    async with deps.session_for(actor) as session:
        row = await controls.get(session, control_id)
    permit(actor, Permission.MANAGE_SPENDING)
    return row


async def _shown(session: AsyncSession, row: SpendControl) -> ControlView:
    return (await _all_shown(session, [row]))[0]


async def _all_shown(session: AsyncSession, rows: Sequence[SpendControl]) -> list[ControlView]:
    now = datetime.now(UTC)
    counters = await controls.counted(session, rows, now)
    return [ControlView.of(row, counters.get(row.id, {}), now) for row in rows]


async def _limits_shown(session: AsyncSession, department_id: str, row: SpendControl | None) -> DepartmentLimitsView:
    now = datetime.now(UTC)
    counters = {} if row is None else (await controls.counted(session, [row], now)).get(row.id, {})
    return DepartmentLimitsView.of(department_id, row, counters, now)


def _order(actor: Actor, org_id: str, once: Command, body: AllowanceSet | StatusChange) -> Order:
    return Order(
        actor=actor,
        org_id=org_id,
        command_id=once.command_id,
        at=datetime.now(UTC),
        reason=body.reason,
        expected_version=getattr(body, "version", None),
    )
