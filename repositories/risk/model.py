"""Models that score acts, and the decisions that they learn from. All statements need the platform's role."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.training import DELAY, ModelStatus
from models.risk.model import RiskModel
from repositories.common.listing import ListFilter, Listing, ListPage

#: One line of JSON for each decision, see `services.risk.training.train`. Of legitimate acts one in `every` is read.
_LABELLED = text("""
SELECT d.id, json_build_array(d.point, d.label, p.id IS NOT NULL, extract(epoch FROM d.created_at)::bigint,
    d.outcome <> 'allow' AND d.rule IS DISTINCT FROM 'unavailable', d.org_id IS NOT NULL, d.facts)::text AS line
FROM risk_decisions d LEFT JOIN payments p ON p.id = d.subject AND d.point IN ('payment', 'topup')
    AND p.status IN ('succeeded', 'partially_refunded')
    AND NOT EXISTS (SELECT FROM payment_disputes WHERE payment_id = p.id)
WHERE d.id > :after AND d.created_at <= :until AND (d.label IS NOT NULL OR p.id IS NOT NULL)
    AND (d.label = 'fraud' OR mod(hashtext(d.id), :every) = 0)
ORDER BY d.id LIMIT :most
""")
#: The newest estimate of the database; exact numbers would cost a scan.
_DECISIONS = text("SELECT reltuples::bigint FROM pg_class WHERE oid = 'risk_decisions'::regclass")


async def versions(connection: asyncpg.Connection) -> tuple[int, tuple[int, int]]:
    """Return the number of the rule that was written last, and the versions of champion and challenger; 0 without."""
    found = await connection.fetchrow(
        "SELECT (SELECT coalesce(max(number), 0) FROM risk_rules) AS number,"
        " coalesce(max(version) FILTER (WHERE status = 'champion'), 0) AS champion,"
        " coalesce(max(version) FILTER (WHERE status = 'challenger'), 0) AS challenger"
        " FROM risk_models WHERE status <> 'retired'"
    )
    assert found is not None
    return found["number"], (found["champion"], found["challenger"])


async def document(connection: asyncpg.Connection, version: int) -> dict[str, Any]:
    """Return the document of a model."""
    found: dict[str, Any] = json.loads(
        await connection.fetchval("SELECT document::text FROM risk_models WHERE version = $1", version)
    )
    return found


async def champion(session: AsyncSession) -> RiskModel | None:
    return await session.scalar(select(RiskModel).where(RiskModel.status == ModelStatus.CHAMPION.value))


async def of_run(session: AsyncSession, run: str) -> RiskModel | None:
    """Return the model that a run of the training stored."""
    return await session.scalar(select(RiskModel).where(RiskModel.report["run"].astext == run))


async def add(
    session: AsyncSession, status: ModelStatus, document: Mapping[str, Any], report: Mapping[str, Any], now: datetime
) -> RiskModel:
    """Add a model. It replaces the challenger, unless it is retired, and as the champion also the champion."""
    replaced = {
        ModelStatus.CHAMPION: [ModelStatus.CHAMPION.value, ModelStatus.CHALLENGER.value],
        ModelStatus.CHALLENGER: [ModelStatus.CHALLENGER.value],
    }.get(status, [])
    await session.execute(
        update(RiskModel).where(RiskModel.status.in_(replaced)).values(status=ModelStatus.RETIRED.value)
    )
    version = ((await session.execute(select(func.max(RiskModel.version)))).scalar_one() or 0) + 1
    row = RiskModel(version=version, status=status.value, document=document, report=report, created_at=now)
    session.add(row)
    await session.flush()
    return row


async def sampled_every(session: AsyncSession, most: int) -> int:
    """Return of how many legitimate acts one is read, so that about `most` are read."""
    return max(1, int((await session.execute(_DECISIONS)).scalar_one()) // most)


async def labelled(
    session: AsyncSession, *, after: str, every: int, now: datetime, most: int
) -> tuple[list[str], str | None]:
    """Return a page of decisions of which the end may be known, oldest first, and the id of the last one."""
    given = {"after": after, "every": every, "until": now - DELAY, "most": most}
    rows = (await session.execute(_LABELLED, given)).all()
    return [row.line for row in rows], rows[-1].id if rows else None


_LIST = Listing(of=RiskModel, order=[RiskModel.version])


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[RiskModel]:
    """Return a page of the models, newest first."""
    return await _LIST.page(session, wanted, [()])
