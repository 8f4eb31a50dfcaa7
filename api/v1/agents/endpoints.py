"""Agents: created by their organization, public ones seen by every tenant."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import Command, idempotency
from api.pagination import CursorParam, LimitParam, id_cursor, id_page
from api.tenancy import acting_organization
from api.v1.agents.schemas import AgentCreate, AgentView, CategorySet, check_category
from domain.access import Actor, Permission
from domain.errors import NotFound
from models.agent import Agent
from repositories import agent as agents
from repositories import audit
from repositories import organization as organizations
from runtime.identity import new_id

router = APIRouter(tags=["agents"])


@router.post("/agents", status_code=201, response_model=AgentView, responses=errors(NotFound))
async def create_agent(
    body: AgentCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.MANAGE_AGENTS),
    command: Command = idempotency(required=False),
) -> Response:
    """Create an agent of an organization."""

    async def create() -> AgentView:
        org_id = acting_organization(actor, body.organization_id)
        check_category(body.category, deps.settings.categories)
        price_minor = body.pricing.price_minor()
        agent = Agent(
            id=new_id("agt"),
            org_id=org_id,
            name=body.name,
            visibility=body.visibility.value,
            category=body.category,
            pricing_model=body.pricing.model.value,
            price_minor=price_minor,
            price_currency=None if price_minor is None else body.pricing.currency,
            terms=body.terms.stored(),
            created_by=actor.qualified(),
            command_id=command.command_id,
        )
        async with deps.session_for(actor) as session:
            await organizations.get(session, org_id)
            row, is_new = await agents.add(session, agent)
            if is_new:
                await audit.record(session, actor, "agent.create", row.id, {"name": row.name}, org_id)
            return AgentView.of(row)

    return await command.run(create, status_code=201)


@router.get("/agents", response_model=Page[AgentView], responses=errors(NotFound))
async def list_agents(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="Only agents of this organization.")] = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[AgentView]:
    """List agents, newest first: a tenant sees the public ones and its own."""
    before = id_cursor(cursor, "agt")
    async with deps.session_for(actor) as session:
        rows = await agents.page(session, viewer=actor.org_id, org_id=organization_id, before=before, limit=limit + 1)
    return id_page(rows, limit, "agt", AgentView.of)


@router.get("/agents/{agent_id}", response_model=AgentView, responses=errors(NotFound))
async def get_agent(agent_id: str, deps: DepsDep, actor: ActorDep) -> AgentView:
    """Read one agent."""
    async with deps.session_for(actor) as session:
        return AgentView.of(await agents.get(session, agent_id))


@router.put("/agents/{agent_id}/category", response_model=AgentView, responses=errors(NotFound))
async def set_category(agent_id: str, body: CategorySet, deps: DepsDep, actor: ActorDep) -> AgentView:
    """List an agent under another category, or under none; its evidence goes with it."""
    async with deps.session_for(actor) as session:
        found = await agents.get(session, agent_id)
    if actor.org_id not in {None, found.org_id}:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.MANAGE_AGENTS)
    check_category(body.category, deps.settings.categories)
    async with deps.database.platform() as session:
        row = await agents.get(session, agent_id)
        if row.category != body.category:
            await agents.categorise(session, row, body.category)
            await audit.record(session, actor, "agent.categorise", row.id, {"category": body.category}, row.org_id)
        return AgentView.of(row)
