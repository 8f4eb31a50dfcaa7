"""Works out what an organization can be paid out: each agent's hold-back, then what the books have."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.payable import HoldBack, Share, Window
from repositories import level, payable


async def windows(
    session: AsyncSession, agents: Sequence[str], hold_back: HoldBack, *, now: datetime
) -> dict[str, Window]:
    """Return what holds for the earnings of each agent now, by its level of reputation."""
    if await level.newest(session) is None:
        return dict.fromkeys(agents, hold_back.window(None, now))
    levels = await level.of_agents(session, agents)
    return {agent_id: hold_back.window(found, now) for agent_id, found in levels.items()}


async def shares_of(session: AsyncSession, org_id: str, hold_back: HoldBack, *, now: datetime) -> list[Share]:
    """Return what all agents of an organization have, by state and currency."""
    agents = await payable.earners(session, org_id)
    return await payable.shares(session, await windows(session, agents, hold_back, now=now))
