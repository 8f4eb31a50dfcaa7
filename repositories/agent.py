"""Agents."""

from sqlalchemy import literal_column
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.agent import Agent
from repositories import marketplace
from repositories.command import add_once
from repositories.listing import Part, newest

MISSING = "There is no such agent."
_ASKED = (
    "org_id",
    "name",
    "visibility",
    "pricing_model",
    "price_minor",
    "price_currency",
    "terms",
    "category",
    "created_by",
)


async def add(session: AsyncSession, agent: Agent) -> tuple[Agent, bool]:
    """Insert the agent, or find the one that this command made; the second value tells which.

    Raises:
        IdempotencyConflict: the command made another one.
    """
    return await add_once(session, agent, _ASKED)


async def get(session: AsyncSession, agent_id: str) -> Agent:
    """Return the agent; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(Agent, agent_id) if is_id(agent_id, "agt") else None
    if found is None:
        raise NotFound(MISSING)
    return found


async def categorise(session: AsyncSession, agent: Agent, category: str | None) -> None:
    """List the agent under a category, or under none; its leaderboards follow. Needs the platform's session."""
    agent.category = category
    await session.flush()
    await marketplace.categorise(session, agent.id, category)


async def page(
    session: AsyncSession, *, viewer: str | None, org_id: str | None, before: str | None, limit: int
) -> list[Agent]:
    """List agents, newest first: those of `org_id`, or all that the session may see.

    `viewer` is the organization that the session works for, null for the platform. It sees its own agents, and of
    others the public ones.
    """
    # Written out, because no plan for any visibility uses the index of the public ones.
    public = Agent.visibility == literal_column("'public'")
    parts: list[Part] = [() if org_id is None else (Agent.org_id == org_id,)]
    if viewer is not None and org_id is None:
        parts = [(Agent.org_id == viewer,), (public,)]
    elif viewer not in {None, org_id}:
        parts = [(Agent.org_id == org_id, public)]
    position = None if before is None else (before,)
    return list(await session.scalars(newest(Agent, parts, [Agent.id], after=position, limit=limit)))
