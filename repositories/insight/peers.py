"""Statements about comparisons: figures of consenting members, and quartiles. Computing needs the platform's role."""

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import make_id
from domain.insight.peers import (
    LEAST_AGE,
    LEAST_BUYERS,
    LEAST_EVENTS,
    MemberKind,
    MemberPosition,
    PeerMember,
    PeerMetric,
)
from models.insight.advice import PeerPosition
from repositories.insight.advice import Month

#: The maximum number of members of a group, the oldest ones.
MEMBERS = 5_000

_OF_PLAN = f"""
SELECT o.id, o.id AS org_id, o.created_at <= :old_enough AND EXISTS (
    SELECT FROM metric_sums m WHERE m.org_id = o.id AND m.measure IN ('payments.received', 'payments.refunded')
        AND m.seconds = 86400 AND m.starts_at >= :old_enough AND m.starts_at < :until
    GROUP BY m.asset
    HAVING sum(m.value * CASE m.measure WHEN 'payments.received' THEN 1 ELSE -1 END) > 0
) AS counts
FROM organizations o
WHERE o.status = 'active' AND o.tier = :category AND o.peers_agreed_at <= :since ORDER BY o.id LIMIT {MEMBERS}
"""
_OF_CATEGORY = f"""
SELECT a.id, a.org_id, o.created_at <= :old_enough AS counts
FROM agents a JOIN organizations o ON o.id = a.org_id
WHERE a.category = :category AND a.visibility = 'public' AND a.retired_at IS NULL AND a.created_at <= :since
    AND o.status = 'active' AND o.peers_agreed_at <= :since
ORDER BY a.id LIMIT {MEMBERS}
"""
#: Each returns the figure as numerator and denominator, and its weight.
_FIGURES = {
    # Spent credits; of so many organizations spends are read by day alone, where a refund is on its own day.
    PeerMetric.SPENDING: """
        SELECT id, sum(minor)::numeric AS above, 1::numeric AS below, sum(minor)::bigint AS weight FROM (
            SELECT org_id AS id, used - refunded AS minor FROM ledger.credit_days
            WHERE org_id = ANY (:ids) AND day >= :first AND day < :after
            UNION ALL
            SELECT o.id, e.minor FROM unnest(CAST(:ids AS text[])) o (id)
            CROSS JOIN LATERAL spent_elsewhere(o.id, :since, :until, false) e WHERE e.asset = 'CREDIT'
        ) s GROUP BY id HAVING sum(minor) > 0
    """,
    PeerMetric.PAYMENT_SUCCESS_RATE: f"""
        SELECT org_id AS id, coalesce(sum(value) FILTER (WHERE measure = 'payments.succeeded'), 0) AS above,
            sum(value) AS below, sum(value)::bigint AS weight
        FROM metric_sums
        WHERE org_id = ANY (:ids) AND measure IN ('payments.succeeded', 'payments.failed') AND seconds = 86400
            AND starts_at >= :since AND starts_at < :until
        GROUP BY org_id HAVING sum(value) >= {LEAST_EVENTS}
    """,
    PeerMetric.COST_PER_1000_TOKENS: """
        SELECT org_id AS id, sum(cost_pico) * 1000 AS above, sum(tokens) AS below, sum(tokens)::bigint AS weight
        FROM (
            SELECT org_id, cost_pico, input_tokens + output_tokens + cached_tokens + reasoning_tokens AS tokens
            FROM usage_days WHERE org_id = ANY (:ids) AND dimension = 'all' AND currency = 'USD'
                AND day >= :first AND day < :after
        ) u GROUP BY org_id HAVING sum(tokens) >= 1000
    """,
    PeerMetric.PRICE_PER_USE: f"""
        SELECT agent_id AS id, sum(price_minor)::numeric AS above, count(*)::numeric AS below,
            sum(price_minor)::bigint AS weight
        FROM marketplace_uses
        WHERE id >= :first_use AND id < :last_use AND used_at >= :since AND used_at < :until AND agent_id = ANY (:ids)
            AND refunded_at IS NULL AND creator_minor > granted_minor
        GROUP BY agent_id
        HAVING count(*) >= {LEAST_EVENTS} AND count(DISTINCT org_id) >= {LEAST_BUYERS}
    """,
    PeerMetric.DISPUTE_RATE: f"""
        SELECT agent_id AS id, count(*) FILTER (WHERE kind IN ('dispute_lost', 'split'))::numeric AS above,
            count(*) FILTER (WHERE is_end)::numeric AS below, count(*) FILTER (WHERE is_end) AS weight
        FROM reputation_events
        WHERE agent_id = ANY (:ids) AND day >= :first AND day < :after AND excluded IS NULL AND voided_at IS NULL
        GROUP BY agent_id
        HAVING count(*) FILTER (WHERE is_end) >= {LEAST_EVENTS}
            AND count(DISTINCT counterparty_org_id) >= {LEAST_BUYERS}
    """,
}
# What organizations in one hand share; see `repositories.reputation.organization_trait.share_an_owner`.
_TRAITS = text("""
SELECT org_id, kind || ':' || digest AS trait FROM organization_traits
WHERE org_id = ANY (:org_ids) AND ended_at IS NULL AND kind <> 'referrer'
UNION ALL
SELECT id, 'made:' || created_by FROM organizations
WHERE id = ANY (:org_ids) AND '*' <> ALL (:exempt) AND created_by <> ALL (:exempt)
""")


async def members(session: AsyncSession, metric: PeerMetric, category: str, month: Month) -> list[PeerMember]:
    """Return the members that had agreed when the month began, with their figures; None for those without one.

    Members that must not count have none.
    """
    old_enough = month.since - LEAST_AGE
    statement = _OF_PLAN if metric.of is MemberKind.ORGANIZATION else _OF_CATEGORY
    found = (
        await session.execute(text(statement), {"category": category, "old_enough": old_enough, **month.asked})
    ).all()
    asked = {
        "ids": [row.id for row in found if row.counts],
        # A use is numbered when it is reserved, at most a week before it is paid.
        "first_use": make_id("use", unix_ms=_ms(month.since) - 8 * 86_400_000, entropy=bytes(10)),
        "last_use": make_id("use", unix_ms=_ms(month.until), entropy=bytes(10)),
        **month.asked,
    }
    figures = {row.id: row for row in await session.execute(text(_FIGURES[metric]), asked)}
    return [
        PeerMember(member_id=row.id, org_id=row.org_id, value=None)
        if (figure := figures.get(row.id)) is None
        else PeerMember(
            member_id=row.id,
            org_id=row.org_id,
            value=Fraction(int(figure.above), int(figure.below)),
            weight=figure.weight,
        )
        for row in found
    ]


async def traits(session: AsyncSession, org_ids: Sequence[str], exempt: Sequence[str]) -> list[tuple[str, str]]:
    rows = await session.execute(_TRAITS, {"org_ids": list(org_ids), "exempt": list(exempt)})
    return [(row.org_id, row.trait) for row in rows]


async def position(
    session: AsyncSession, metric: PeerMetric, category: str, member_id: str, month: date
) -> PeerPosition | None:
    return await session.get(PeerPosition, (month, metric.value, category, member_id))


async def is_computed(session: AsyncSession, metric: PeerMetric, category: str, month: date) -> bool:
    """Return whether a group was computed, and lock it until the transaction ends, so that it is computed once."""
    key = f"peers:{month}:{metric.value}:{category}"
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    row = PeerPosition
    query = select(row.member_id).where(row.month == month, row.metric == metric.value, row.category == category)
    return (await session.scalars(query.limit(1))).one_or_none() is not None


async def add(
    session: AsyncSession, metric: PeerMetric, category: str, month: date, found: Sequence[MemberPosition]
) -> None:
    rows = [
        {
            "month": month,
            "metric": metric.value,
            "category": category,
            "member_id": each.member_id,
            "org_id": each.org_id,
            "quarter": each.quarter,
            "reason": each.reason,
        }
        for each in found
    ]
    if rows:
        await session.execute(insert(PeerPosition), rows)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
