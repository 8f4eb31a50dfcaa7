"""Statements about results. Writing needs the platform's role."""

from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

import asyncpg
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.escrow.state import Terms
from domain.returns.result import Result
from models.returns.result import ResultRow

# A task of an agent without a category is of the kind `contract`.
_OF_ESCROW = """
    WITH made AS (
        INSERT INTO results (id, org_id, task_id, agent_id, task_kind, score_e6, is_accepted, is_self_reported,
            value_minor, currency, source, reference, reported_by, recorded_at)
        SELECT $1, $2, $3, $4, coalesce((SELECT category FROM agents WHERE id = $4), 'contract'), $5, $6, false,
            $7, $8, $9, $10, $11, $12
        RETURNING id, task_kind
    )
    SELECT id, task_kind, EXISTS (
        SELECT FROM routing_decisions d WHERE d.org_id = $2 AND d.run_id = $3 AND d.task_kind = made.task_kind
    ) OR EXISTS (
        SELECT FROM object_metadata m JOIN routing_decisions d ON d.id = m.external_id AND d.org_id = m.org_id
        WHERE m.object_id = $13 AND m.org_id = $14
    ) AS is_routed
    FROM made
"""


async def add(session: AsyncSession, result_id: str, result: Result, *, now: datetime) -> tuple[ResultRow, bool]:
    made = insert(ResultRow).values(id=result_id, recorded_at=now, **asdict(result))
    names = ["org_id", "source", "reference"]
    row = (await session.scalars(made.on_conflict_do_nothing(index_elements=names).returning(ResultRow))).one_or_none()
    if row is not None:
        return row, True
    query = select(ResultRow).where(*(getattr(ResultRow, name) == getattr(result, name) for name in names))
    return (await session.scalars(query)).one(), False


class AddedOfEscrow(NamedTuple):
    id: str
    task_kind: str
    is_routed: bool


async def add_of_escrow(
    connection: asyncpg.Connection, result_id: str, result: Result, terms: Terms, *, now: datetime
) -> AddedOfEscrow:
    """Insert the result of an escrow's new event, with the kind of its agent's tasks, in one statement."""
    row = await connection.fetchrow(
        _OF_ESCROW,
        *(result_id, result.org_id, result.task_id, result.agent_id, result.score_e6, result.is_accepted),
        *(result.value_minor, result.currency, result.source.value, result.reference, result.reported_by, now),
        *(terms.contract_id, terms.payer_org_id),
    )
    assert row is not None
    return AddedOfEscrow(**row)
