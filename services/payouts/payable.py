"""Computes what an organization can be paid out: each agent's hold-back, then the balances."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.payouts.payable import EarningsShare, HoldBack, HoldBackWindow
from repositories.payouts import payable
from repositories.reputation import level


async def windows(
    session: AsyncSession, agents: Sequence[str], hold_back: HoldBack, *, now: datetime
) -> dict[str, HoldBackWindow]:
    """Return the hold-back of each agent's earnings now, by its level of reputation."""
    if await level.newest(session) is None:
        return dict.fromkeys(agents, hold_back.window(None, now))
    levels = await level.of_agents(session, agents)
    return {agent_id: hold_back.window(found, now) for agent_id, found in levels.items()}


async def shares_of(session: AsyncSession, org_id: str, hold_back: HoldBack, *, now: datetime) -> list[EarningsShare]:
    """Return the earnings of all agents of an organization, by state and currency."""
    agents = await payable.earners(session, org_id)
    return await payable.shares(session, await windows(session, agents, hold_back, now=now))
