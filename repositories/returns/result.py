"""Statements about results. Writing needs the platform's role."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.returns.result import Result
from models.marketplace.agent import Agent
from models.returns.result import ResultRow


async def add(session: AsyncSession, result_id: str, result: Result, *, now: datetime) -> tuple[ResultRow, bool]:
    """Insert a result, and return the row of its source and reference, and whether it is new."""
    made = insert(ResultRow).values(id=result_id, recorded_at=now, **asdict(result))
    names = ["org_id", "source", "reference"]
    row = (await session.scalars(made.on_conflict_do_nothing(index_elements=names).returning(ResultRow))).one_or_none()
    if row is not None:
        return row, True
    query = select(ResultRow).where(*(getattr(ResultRow, name) == getattr(result, name) for name in names))
    return (await session.scalars(query)).one(), False


async def kind_by_agent(session: AsyncSession, agent_id: str) -> str | None:
    """Return the category of an agent, which is the kind of the tasks of its contracts; None if it has none."""
    return (await session.scalars(select(Agent.category).where(Agent.id == agent_id))).one_or_none()
