"""Agents."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.agent import Agent
from repositories.command import add_once

MISSING = "There is no such agent."
_ASKED = ("org_id", "name", "visibility", "pricing_model", "price_minor", "price_currency", "terms", "created_by")


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


async def page(session: AsyncSession, *, org_id: str | None, before: str | None, limit: int) -> list[Agent]:
    """List agents that the session may see, newest first."""
    query = select(Agent).order_by(Agent.id.desc()).limit(limit)
    if org_id is not None:
        query = query.where(Agent.org_id == org_id)
    if before is not None:
        query = query.where(Agent.id < before)
    return list(await session.scalars(query))
