"""Allocations of projects' daily budgets to agents, and trials of agents."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from temporalio.client import Client
from temporalio.service import RPCError

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import ProjectId
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.allocations.schemas import (
    AllocationDetailView,
    AllocationLineView,
    AllocationSettingSet,
    AllocationSettingView,
    AllocationView,
    TrialCreate,
    TrialView,
)
from api.v1.spend_controls.kinds import note_price
from api.v1.spends.own import confined_key, refuse_totals
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.ids import allocation_workflow_id, uuid_id
from domain.credits.spend.scope import SpendingKey
from domain.returns.allocation import AllocationStatus
from domain.returns.trial import TrialStatus
from models.billing.project import Project
from models.returns.allocation import Allocation
from models.returns.trial import Trial
from repositories.billing import project as projects
from repositories.marketplace import agent as agents
from repositories.returns import allocation as allocations, trial as trials
from runtime import reach
from services.returns import allocation, trial

router = Resource(tags=["allocations"])

#: The timeout of the signal to the run after an acceptance.
NEWS_TIMEOUT = timedelta(seconds=2)


@router.put(
    "/projects/{slug}/allocation",
    response_model=AllocationSettingView,
    responses=errors(refusals.AllocationNoBudget),
    operation_id="allocations.set",
)
async def set_allocation(
    slug: str, body: AllocationSettingSet, deps: DepsDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Set the allocation of a project's budget to its agents, from the next night on.

    The night begins with the day, in the zone of the project's budget.
    """
    project = await _project(deps, actor, slug)
    permit(actor, Permission.MANAGE_SPENDING)
    wanted = body.to_request()
    async with once, deps.database.platform() as session:
        now = datetime.now(UTC)
        await note_price(deps, session, wanted.currency, now)
        row = await allocation.set_allocation(session, actor, project.org_id, project.id, wanted, now=now)
        return once.answer(AllocationSettingView.of(row))


@router.get("/projects/{slug}/allocation", operation_id="allocations.settings")
async def get_allocation_settings(
    slug: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep
) -> AllocationSettingView:
    """Read the allocation settings of a project; 404 before they were set."""
    project = await _project(deps, actor, slug)
    refuse_totals(confined_key(actor, key))
    permit(actor, Permission.READ_BILLING)
    async with deps.session_for(actor) as session:
        row = await allocations.setting(session, project.id)
    if row is None:
        raise NotFound("The allocation of this project's budget is not set.")
    return AllocationSettingView.of(row)


_LIST = ListEndpoint(
    "allocations",
    AllocationView,
    *(*CREATED, "organization_id"),
    order=[allocations.PREFIX],
    status=AllocationStatus,
    project_id=Annotated[ProjectId | None, Query(description="Only allocations of this project.")],
)


@_LIST.get(router, "/allocations", NotFound)
async def list_allocations(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List allocations, newest first, without their lines.

    A page reads a bounded number of allocations, so it may be short or empty while `next_cursor` is not null. With
    `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), allocations.page, wanted, AllocationView.of)


@router.get("/allocations/{allocation_id}")
async def get_allocation(
    allocation_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep
) -> AllocationDetailView:
    """Read an allocation: each agent's old and new amount, its four factors, and the reason."""
    async with deps.session_for(actor) as session:
        row = await _readable(session, actor, key, allocation_id)
        return await _shown(session, row)


@router.post(
    "/allocations/{allocation_id}/accept",
    response_model=AllocationDetailView,
    responses=errors(refusals.AllocationNoBudget, refusals.AllocationExpired, refusals.AllocationStale),
)
async def accept_allocation(
    allocation_id: str, deps: DepsDep, key: SpendingKeyDep, once: MayRepeat, actor: ActorDep
) -> Response:
    """Accept a proposed allocation: the budgets change immediately. Accepting it again changes nothing."""
    async with deps.session_for(actor) as session:
        row = await _readable(session, actor, key, allocation_id)
    permit(actor, Permission.MANAGE_SPENDING)
    async with once:
        async with deps.database.platform() as session:
            now = datetime.now(UTC)
            done = await allocation.accept(session, actor, row.id, now=now)
            view = await _shown(session, done)
        if deps.temporal is not None:
            await _send_news(deps.temporal, row)
        return once.answer(view)


@router.post(
    "/trials",
    status_code=201,
    response_model=TrialView,
    responses=errors(NotFound, refusals.SpendControlExists),
    operation_id="trials.create",
    tags=["trials"],
)
async def create_trial(
    body: TrialCreate, deps: DepsDep, once: MayRepeat, actor: Actor = require(Permission.MANAGE_SPENDING)
) -> Response:
    """Create a trial, an amount for an agent in stages. Each is paid when due, or stops the trial if a bar is missed.

    It opens a budget of the agent, whose lifetime amount each stage raises.
    """
    wanted = body.to_request()
    async with deps.session_for(actor) as session:
        agent = await agents.get(session, body.agent_id)
    if actor.org_id not in {None, agent.org_id}:
        raise NotFound(agents.MISSING)
    async with once, deps.database.platform() as session:
        now = datetime.now(UTC)
        await note_price(deps, session, wanted.currency, now)
        row = await trial.create(session, actor, agent, wanted, command_id=once.command_id, now=now)
        return once.answer(TrialView.of(row, agent.name, uuid_id("ctl", row.control_id)))


_TRIALS = ListEndpoint(
    "trials", TrialView, *(*CREATED, "organization_id", "agent_id"), order=[trials.PREFIX], status=TrialStatus
)


@_TRIALS.get(router, "/trials", NotFound, operation_id="trials.list", tags=["trials"])
async def list_trials(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List trials, newest first, with their stages.

    A page reads a bounded number of trials, so it may be short or empty while `next_cursor` is not null. With
    `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        found = await trials.page(session, wanted)
        names = await agents.names(session, {row.agent_id for row in found.rows})

    def shown(row: Trial) -> TrialView:
        return TrialView.of(row, names.get(row.agent_id, row.agent_id), uuid_id("ctl", row.control_id))

    return items_of(found, shown)


async def _project(deps: Deps, actor: Actor, slug: str) -> Project:
    """Return the project before the role is checked: 404 before 403."""
    if actor.org_id is None:
        raise NotFound(projects.MISSING)
    async with deps.session_for(actor) as session:
        return await projects.get(session, actor.org_id, slug)


async def _readable(session: AsyncSession, actor: Actor, key: SpendingKey, allocation_id: str) -> Allocation:
    row = await allocations.get(session, allocation_id)
    refuse_totals(confined_key(actor, key))
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ_BILLING)
    return row


async def _shown(session: AsyncSession, row: Allocation) -> AllocationDetailView:
    lines = allocation.lines_of(row)
    names = await agents.names(session, {line.agent_id for line in lines})
    return AllocationDetailView.of(
        row,
        lines=[AllocationLineView.of(line, names.get(line.agent_id, line.agent_id), row.currency) for line in lines],
    )


async def _send_news(client: Client, row: Allocation) -> None:
    """Signal the run of an accepted allocation, which ends it.

    If Temporal is down, the run ends at `answer_by`.
    """
    run = allocation_workflow_id(row.project_id, row.night)
    with suppress(RPCError, RuntimeError):
        await reach.signal_running(client, run, "news", rpc_timeout=NEWS_TIMEOUT)
