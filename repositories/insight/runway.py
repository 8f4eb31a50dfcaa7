"""Statements about the credits that an organization can use."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.money import CREDIT

# By day, so that an organization with many lots has few rows. A lot that expires at midnight is usable the day before.
_LOTS = text("""
SELECT l.priority, ((l.expires_at - interval '1 microsecond') AT TIME ZONE 'UTC')::date AS last,
    sum(l.remaining - l.held)::bigint AS free
FROM ledger.accounts a JOIN ledger.lots l ON l.account_id = a.id
WHERE a.path = :path AND a.asset = :asset AND l.is_open AND l.remaining > l.held
    AND (l.expires_at IS NULL OR l.expires_at > :now)
GROUP BY 1, 2 ORDER BY 1, 2
""")
_OWED = text("""
SELECT greatest(0, -sum(b.posted))::bigint FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
WHERE a.path = 'org/' || :org_id || '/debt/' || :asset AND a.asset = :asset
""")


async def lots(session: AsyncSession, org_id: str, now: datetime) -> Sequence[tuple[int, date | None]]:
    """Return the free amounts of open lots and the last day (UTC) of each, in the order of spending."""
    path = accounts.org_credits(org_id).path
    rows = await session.execute(_LOTS, {"path": path, "asset": CREDIT, "now": now})
    return [(row.free, row.last) for row in rows]


async def owed(session: AsyncSession, org_id: str) -> int:
    return int(await session.scalar(_OWED, {"org_id": org_id, "asset": CREDIT}) or 0)
