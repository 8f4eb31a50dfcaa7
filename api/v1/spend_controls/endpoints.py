"""Spend controls: what may be spent by or for whom. Owners and admins set them, and operators; spenders read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.spend_controls.kinds import (
    EXISTS,
    OWN_REFUSALS,
    VERSION,
    Kind,
    add_controls,
    add_lists,
    shown_refusals,
)
from api.v1.spend_controls.schemas import (
    ControlChange,
    ControlCreate,
    ControlVersionView,
    ControlView,
    DepartmentLimitsSet,
    DepartmentLimitsView,
    RefusalView,
)
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.ids import uuid_id
from domain.common.money import CREDIT
from domain.credits.spend.control import ControlKind, SubjectKind
from models.credits.spend_control import SpendControl
from repositories.credits import department as departments, spend_control as controls
from repositories.tenants import name
from services.credits import spend_control
from services.credits.spend_control import ControlCommand

router = Resource(tags=["spend_controls"])


async def _all_shown(session: AsyncSession, rows: Sequence[SpendControl]) -> list[ControlView]:
    now = datetime.now(UTC)
    counters = await controls.counter_values(session, rows, now)
    ids = {row.id: uuid_id("ctl", row.id) for row in rows}
    names = await name.names_of(session, ids.values(), None)
    return [ControlView.of(row, counters.get(row.id, {}), now, names.get(ids[row.id])) for row in rows]


_KIND = Kind(
    kind=ControlKind.LIMIT,
    noun="spend_control",
    word="control",
    creation=ControlCreate,
    changed=ControlChange,
    view=ControlView,
    version=ControlVersionView,
    show=_all_shown,
    counted="counted-spends",
    refused="refusals",
    of_create="""\
Create a spend control. A spend must fit into every control of its subjects and of those above them.

A control of a key limits that key only, and not the other key that its principal may have. A control of an agent
limits all its keys and sessions.""",
    of_list="""\
List spend controls, newest first, with what is left of their limits.

The key of an agent gets those of its agent and of the key. A member's key that is attributed to a department or a
project gets those of that, of the agents in it, and of the key.""",
    of_change="Replace what a control allows and its parent. The change applies to later spends.",
    of_freeze="""\
Freeze a control until it is unfrozen or closed, whatever its term: new spends under it are refused.

What is reserved can still be captured and released.""",
    of_unfreeze="Unfreeze a control: spending under it is allowed again, within its limits.",
    of_counted=(
        "List the spends and escrows that count in a control, newest first. Keys of agents and members get their own "
        "only."
    ),
    of_refused="List the spends that a control refused",
)
_REFUSALS = ListEndpoint(
    "spend-refusals",
    RefusalView,
    *(*CREATED, "organization_id", "agent_id"),
    order=[UUID],
    key_id=Annotated[SearchText | None, Query(description="Only spends with this key.")],
)


@_REFUSALS.get(
    router,
    "/spend-controls/refusals",
    NotFound,
    name="list_spend_refusals",
    description=(
        "List refused spends of all limits and budgets, and those for lack of credits, newest first: the first 1,000 "
        f"of each window and reason.\n\n{OWN_REFUSALS}"
    ),
)
async def list_spend_refusals(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        return await shown_refusals(session, wanted, actor, key)


# After the fixed path below it.
add_controls(router, _KIND)
add_lists(router, _KIND)


@router.get("/credits/departments/{department_id}/limits", tags=["departments"], response_model=DepartmentLimitsView)
async def get_department_limits(
    department_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep
) -> DepartmentLimitsView:
    """Show the daily and monthly limits of a department in credits, and their remaining amounts.

    Keys of agents are refused, and those of members that are attributed to another department.
    """
    async with deps.session_for(actor) as session:
        department = await departments.get(session, department_id)
        of = confined_key(actor, key)
        if of is not None and (of.agent_id or of.attribution.department_id not in department.path):
            refuse_totals(of)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
        row = await controls.of_subject(session, department.org_id, SubjectKind.DEPARTMENT, department_id, CREDIT)
        return await _limits_shown(session, department_id, row)


@router.put(
    "/credits/departments/{department_id}/limits",
    tags=["departments"],
    response_model=DepartmentLimitsView,
    responses=errors(VERSION, EXISTS),
)
async def set_department_limits(
    department_id: str, body: DepartmentLimitsSet, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Set the daily and monthly limits of a department in credits. They are stored in its spend control."""
    async with deps.session_for(actor) as session:
        org_id = (await departments.get(session, department_id)).org_id
    permit(actor, Permission.MANAGE_SPENDING)
    daily, monthly = body.minor()
    async with once, deps.database.platform() as session:
        order = ControlCommand(actor=actor, org_id=org_id, command_id=once.command_id, at=datetime.now(UTC))
        row = await spend_control.limit_department(session, order, department_id, daily, monthly)
        return once.answer(await _limits_shown(session, department_id, row))


async def _limits_shown(session: AsyncSession, department_id: str, row: SpendControl | None) -> DepartmentLimitsView:
    now = datetime.now(UTC)
    if row is not None and not spend_control.is_in_term(row, now):
        row = None
    counters = {} if row is None else (await controls.counter_values(session, [row], now)).get(row.id, {})
    return DepartmentLimitsView.of(department_id, row, counters, now)
