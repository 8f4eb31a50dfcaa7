"""Statements about levels by reputation: the newest version, agents' ranks, and unsettled amounts in escrows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.reputation.evidence import Dimension
from domain.reputation.levels import Ladder, Level, Rank
from models.reputation.reputation import ReputationLadderRow

#: Number of an organization's highest ranked agents that are candidates for its best one.
MOST_AGENTS = 5
#: The newest levels with their version, as JSON; null without any. For use in a larger statement.
NEWEST = (
    "(SELECT jsonb_build_object('version', version, 'levels', levels) FROM reputation_ladders"
    " ORDER BY version DESC LIMIT 1)"
)
#: The rank of an agent for levels, read only if there are any. Good evidence counts once its payment can no longer be
#: charged back; bad evidence counts at once.
SEASONED = """
    LEFT JOIN LATERAL (
        SELECT least(rank_e6, (SELECT t.rank_e6 FROM reputation_agents t WHERE t.agent_id = {agent})) AS rank_e6,
            evidence_count
        FROM reputation_seasoned_score({agent}, CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date))
        WHERE {wanted}
    ) {name} ON true
"""
_OF_AGENT = text(
    f"""
    SELECT CAST(ladder AS text) AS ladder, rank_e6, evidence_count
    FROM (SELECT {NEWEST} AS ladder) newest
    {SEASONED.format(agent=":agent_id", wanted="ladder IS NOT NULL", name="seasoned")}
    """
)
_OF_AGENTS = text(
    f"""
    SELECT g.agent_id, CAST(ladder AS text) AS ladder, rank_e6, evidence_count
    FROM (SELECT {NEWEST} AS ladder) newest CROSS JOIN unnest(CAST(:agents AS text[])) AS g (agent_id)
    {SEASONED.format(agent="g.agent_id", wanted="ladder IS NOT NULL", name="seasoned")}
    """
)
_OF_ORGANIZATION = text(
    f"""
    SELECT CAST(ladder AS text) AS ladder,
        (SELECT jsonb_agg(jsonb_build_array(seasoned.rank_e6, seasoned.evidence_count)) FROM (
            SELECT r.agent_id FROM agents a JOIN reputation_agents r ON r.agent_id = a.id
            LEFT JOIN reputation_seasoned k ON k.agent_id = a.id
            WHERE a.org_id = :org_id ORDER BY least(r.rank_e6, coalesce((
                SELECT sum(reputation_share(dimension) * reputation_lower(good, held, 500000)) / 10000
                FROM unnest(CAST(:dimensions AS text[]), k.good_e6, k.held_e6) AS row (dimension, good, held)
                WHERE k.agent_id IS NOT NULL), 0)) DESC, r.rank_e6 DESC LIMIT :most) best
            {SEASONED.format(agent="best.agent_id", wanted="ladder IS NOT NULL", name="seasoned")}) AS ranks
    FROM (SELECT {NEWEST} AS ladder) newest
    """
)
_UNSETTLED = text(
    """
    SELECT e.currency, sum(e.funded_minor - e.released_minor - e.refunded_minor - e.commission_minor)::bigint AS held
    FROM agents a JOIN escrows e ON e.agent_id = a.id
    WHERE a.org_id = :org_id AND e.status IN ('funded', 'delivered', 'disputed')
    GROUP BY e.currency
    """
)


def stored(levels: Sequence[Level]) -> list[dict[str, Any]]:
    return [asdict(level) | {"entitlements": list(level.entitlements)} for level in levels]


def ladder_of(document: str | Mapping[str, Any] | None) -> Ladder:
    if document is None:
        return Ladder()
    found = json.loads(document) if isinstance(document, str) else document
    levels = (Level(**{**kept, "entitlements": tuple(kept["entitlements"])}) for kept in found["levels"])
    return Ladder(found["version"], tuple(levels))


async def newest(session: AsyncSession) -> ReputationLadderRow | None:
    """Return the newest version of the levels; None before the first."""
    row = ReputationLadderRow
    return (await session.scalars(select(row).order_by(row.version.desc()).limit(1))).one_or_none()


async def commissions(session: AsyncSession, versions: Collection[int]) -> dict[tuple[int | None, str | None], int]:
    """Return the commissions of levels by version and name; the usual one is left out."""
    row = ReputationLadderRow
    rows = (await session.scalars(select(row).where(row.version.in_(versions)))).all()
    return {
        (kept.version, level.name): level.commission_bps
        for kept in rows
        for level in ladder_of({"version": kept.version, "levels": kept.levels}).levels
        if level.commission_bps is not None
    }


async def of_agent(session: AsyncSession, agent_id: str) -> tuple[Ladder, Rank]:
    """Return the levels and the rank of an agent for them, in one statement. Needs the platform's role."""
    row = (await session.execute(_OF_AGENT, {"agent_id": agent_id})).one()
    return ladder_of(row.ladder), Rank(share_e6=row.rank_e6 or 0, evidence_count=row.evidence_count or 0)


async def of_agents(session: AsyncSession, agents: Sequence[str]) -> dict[str, Level | None]:
    """Return the level of each agent, in one statement; None without levels. Needs the platform's role."""
    rows = (await session.execute(_OF_AGENTS, {"agents": list(agents)})).all()
    ladder = ladder_of(rows[0].ladder) if rows else Ladder()
    ranks = {row.agent_id: Rank(share_e6=row.rank_e6 or 0, evidence_count=row.evidence_count or 0) for row in rows}
    return {agent_id: ladder.level_of(rank) for agent_id, rank in ranks.items()}


async def of_organization(session: AsyncSession, org_id: str) -> Level | None:
    """Return the level of the organization's best agent; None without levels. Needs the platform's role."""
    asked = {"org_id": org_id, "most": MOST_AGENTS, "dimensions": [each.value for each in Dimension]}
    row = (await session.execute(_OF_ORGANIZATION, asked)).one()
    ranks = (Rank(share_e6=rank, evidence_count=count) for rank, count in row.ranks or ())
    return ladder_of(row.ladder).best_of(ranks)


async def lock_exposure(session: AsyncSession, org_id: str) -> None:
    """Lock the funding of escrows for the organization's agents until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"exposure:{org_id}", 0))))


async def unsettled(session: AsyncSession, org_id: str) -> dict[str, int]:
    """Return the amounts held in escrows for an organization's agents, by currency. Needs the platform's role."""
    return {row.currency: row.held for row in await session.execute(_UNSETTLED, {"org_id": org_id})}
