"""Agents: their organization creates them, and every tenant sees the public ones."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.body import takes_bytes
from api.deps import Deps, DepsDep
from api.errors import TooLarge, errors
from api.fields import AgentId, OrganizationId, SearchText, etag
from api.idempotency import MayRepeat
from api.lists import CREATED, After, Items, ListEndpoint, ListRequest, items_of, split
from api.metadata import PreconditionDep, required_precondition, visible_metadata
from api.pagination import MAX_LIMIT
from api.pictures import PICTURE_BODY, PICTURE_RESPONSE, Version, as_picture, read_picture
from api.routing import Resource
from api.tenancy import acting_organization
from api.v1.agents.schemas import (
    AgentCreate,
    AgentUpdate,
    AgentView,
    CategorySet,
    MinStars,
    Visibility,
    check_category,
    stars_e6,
)
from domain.common.access import Actor, Permission
from domain.common.errors import AgentListed, ExternalIdTaken, NotFound
from domain.marketplace.agent import AgentSort
from domain.tenants.picture import Picture
from models.marketplace.agent import Agent
from models.tenants.metadata import ObjectMetadata
from repositories.common.listing import ListPage
from repositories.marketplace import agent as agents
from repositories.tenants import metadata, picture as pictures
from runtime.identity import new_id
from services.marketplace import agent as service
from services.tenants.metadata import ObjectChange, change
from services.tenants.picture import set_picture

router = Resource(tags=["agents"])


@router.post("/agents", status_code=201, response_model=AgentView, responses=errors(NotFound, ExternalIdTaken))
async def create_agent(
    body: AgentCreate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_AGENTS), command: MayRepeat
) -> Response:
    """Create an agent of an organization."""
    async with command, deps.session_for(actor) as session:
        org_id = acting_organization(actor, body.organization_id)
        check_category(body.category, deps.settings.categories)
        agent = Agent(
            id=new_id("agt"),
            org_id=org_id,
            name=body.name,
            description=body.description,
            visibility=body.visibility.value,
            category=body.category,
            **body.pricing.columns(),
            terms=body.terms.stored(),
            accepts_granted=body.accepts_granted_credits,
            created_by=actor.qualified(),
            command_id=command.command_id,
        )
        row = await service.create(session, actor, agent, body.own())
        command.version = row.version
        return command.answer(await _view(session, row, await metadata.get(session, row.id, org_id)))


_LIST = ListEndpoint(
    "agents",
    AgentView,
    *(*CREATED, "q"),
    order=[int, "agt"],
    has_metadata=True,
    organization_id=Annotated[OrganizationId | None, Query(description="Only agents of this organization.")],
    visibility=Annotated[Visibility | None, Query(description="Only public or private ones.")],
    category=Annotated[SearchText | None, Query(description="Only of this category.")],
    active=Annotated[bool, Query(description="Exclude retired agents.")],
    min_stars=MinStars,
    id=Annotated[
        list[AgentId] | None,
        BeforeValidator(split),
        Field(min_length=1, max_length=MAX_LIMIT),
        Query(description=f"Only these, at most {MAX_LIMIT}. Several are separated by commas."),
    ],
    sort=Annotated[
        AgentSort | None,
        Query(
            description=(
                "`newest` first, `rating`, the best rated first, or `jobs`, those with the most jobs done first. By "
                "`rating` and `jobs` only public agents that can be hired are listed, and that have evidence or jobs."
            )
        ),
    ],
)


@_LIST.get(router, "/agents", NotFound)
async def list_agents(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List agents, newest first unless `sort` says otherwise. A tenant sees the public ones and its own.

    With `sort`, agents whose rating or number of jobs changes while you read can be listed twice, or left out.

    With `q`, `min_stars` or `sort` a page may be short or empty although more pages follow: continue until
    `next_cursor` is null.
    """
    wanted = asked.wanted(asked.organization_id, without=["active", "min_stars", "id", "sort"])
    if asked.get("active"):
        wanted = replace(wanted, equal={**wanted.equal, "retired_at": None})

    sort = asked.get("sort") or AgentSort.NEWEST

    async def page(session: AsyncSession, after: After, limit: int) -> ListPage[Agent]:
        return await agents.page(
            session,
            replace(wanted, after=after, limit=limit),
            viewer=actor.org_id,
            ids=asked.get("id"),
            least_stars_e6=stars_e6(asked.get("min_stars")),
            sort=sort,
        )

    if sort is not AgentSort.NEWEST:
        # All of these agents are public. Under row security the query plan would read every agent.
        async with deps.database.platform() as session:
            found = await page(session, asked.after, asked.limit)
    async with deps.session_for(actor) as session:
        if sort is AgentSort.NEWEST:
            found = await page(session, asked.after, asked.limit)
        own = await visible_metadata(session, actor, {row.id: row.org_id for row in found.rows})
    known = await agent_cards_of(deps, *(row.id for row in found.rows))
    return items_of(found, lambda row: AgentView.of(row, known[row.id], own.get(row.id)))


@router.get("/agents/{agent_id}")
async def get_agent(agent_id: str, deps: DepsDep, actor: ActorDep, response: Response) -> AgentView:
    """Read one agent."""
    async with deps.session_for(actor) as session:
        row = await agents.get(session, agent_id)
        permit(actor, Permission.READ)
        response.headers.update(etag(row.version))
        own = (await visible_metadata(session, actor, {row.id: row.org_id})).get(row.id)
    return AgentView.of(row, (await agent_cards_of(deps, agent_id))[agent_id], own)


async def agent_cards_of(deps: Deps, *agent_ids: str) -> Mapping[str, agents.AgentCard]:
    """Return the cards of agents that the caller sees. Only the platform's role reads names of other organizations."""
    async with deps.database.platform() as session:
        return await agents.agent_cards(session, agent_ids) if agent_ids else {}


async def _view(session: AsyncSession, row: Agent, own: ObjectMetadata | None) -> AgentView:
    return AgentView.of(row, (await agents.agent_cards(session, [row.id]))[row.id], own)


async def _owned(deps: Deps, actor: Actor, agent_id: str) -> None:
    """Refuse to change another organization's agent (404, as if it did not exist), or by a role that may not (403)."""
    async with deps.session_for(actor) as session:
        found = await agents.get(session, agent_id)
    if actor.org_id not in {None, found.org_id}:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.MANAGE_AGENTS)


@router.patch("/agents/{agent_id}", response_model=AgentView, responses=errors(ExternalIdTaken, AgentListed))
async def update_agent(
    agent_id: str, body: AgentUpdate, deps: DepsDep, actor: ActorDep, expected: PreconditionDep, command: MayRepeat
) -> Response:
    """Change an agent's listing, `external_id` and `metadata`.

    When the agent becomes private, its contracts and purchases stay as they are.

    `If-Match` names the version to change; the response has the new one as its `ETag`.
    """
    await _owned(deps, actor, agent_id)
    match = required_precondition(expected)
    async with command, deps.database.platform() as session:
        columns = body.columns()
        if "category" in columns:
            check_category(body.category, deps.settings.categories)
        row = await agents.lock(session, agent_id)
        if body.visibility is Visibility.PRIVATE:
            await service.refuse_listed(session, agent_id)
        wanted = ObjectChange(
            noun="agent",
            object_id=agent_id,
            org_id=row.org_id,
            expected=match,
            written=body.written(),
            columns=columns,
            command_id=command.command_id,
        )
        changed = await change(session, actor, wanted, row)
        if "name" in changed.names:
            await service.rename_offer(session, row)
        if "category" in changed.names:
            await agents.categorise(session, row, body.category)
        command.version = changed.version
        return command.answer(await _view(session, row, changed.own))


@router.post("/agents/{agent_id}/retire", response_model=AgentView)
async def retire_agent(agent_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Retire an agent permanently: no new contract or purchase of it can begin; existing ones continue.

    Retiring it again returns the first response.
    """
    await _owned(deps, actor, agent_id)
    async with command:
        async with deps.database.platform() as session:
            row = await service.retire(session, actor, agent_id, now=datetime.now(UTC))
            shown = await _view(session, row, await metadata.get(session, row.id, row.org_id))
        # This process updates its own cache without waiting for the announcement of the change.
        deps.keyring.forget(agent_id)
        return command.answer(shown)


@router.put("/agents/{agent_id}/category")
async def set_category(agent_id: str, body: CategorySet, deps: DepsDep, actor: ActorDep) -> AgentView:
    """List an agent under another category, or under none. Its evidence moves to that category."""
    await _owned(deps, actor, agent_id)
    check_category(body.category, deps.settings.categories)
    async with deps.database.platform() as session:
        row = await service.categorise(session, actor, agent_id, body.category)
        return await _view(session, row, await metadata.get(session, row.id, row.org_id))


@router.get("/agents/{agent_id}/picture", response_class=Response, responses=PICTURE_RESPONSE)
async def get_picture(agent_id: str, deps: DepsDep, actor: ActorDep, v: Version = None) -> Response:
    """Return the picture of an agent."""
    async with deps.session_for(actor) as session:
        await agents.get(session, agent_id)
        permit(actor, Permission.READ)
        return as_picture(await pictures.get(session, agent_id), v)


@router.put("/agents/{agent_id}/picture", responses=errors(TooLarge), openapi_extra=PICTURE_BODY)
@takes_bytes
async def put_picture(agent_id: str, request: Request, deps: DepsDep, actor: ActorDep) -> AgentView:
    """Set the picture of an agent. Only what draws it is kept of the file: no places, cameras or comments."""
    await _owned(deps, actor, agent_id)
    return await _set_picture(deps, actor, agent_id, await read_picture(request))


@router.delete("/agents/{agent_id}/picture")
async def delete_picture(agent_id: str, deps: DepsDep, actor: ActorDep) -> AgentView:
    """Remove the picture of an agent."""
    await _owned(deps, actor, agent_id)
    return await _set_picture(deps, actor, agent_id, None)


async def _set_picture(deps: Deps, actor: Actor, agent_id: str, picture: Picture | None) -> AgentView:
    async with deps.database.platform() as session:
        row = await agents.lock(session, agent_id)
        changed = await set_picture(session, actor, row, picture, now=datetime.now(UTC))
        return await _view(session, row, changed.own)
