"""Facts that the search index gets besides events: economic entries, revenue, uses of secrets, and allocations.

These rows have a time and not the transaction that wrote them. So a window of time is read once all transactions have
ended that were open when it was over, as for exports; then nothing in it commits late.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import LogEntry
from domain.common.ids import uuid_of
from repositories.budgets import economics
from repositories.common.listing import ListFilter, Position, first_id

#: How many entries of a log are read at once.
PAGE = 500
#: The transaction's own number is above those of all that are open, which `pg_snapshot_xmax` is not.
_CLOCK = text("""
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
        pg_current_xact_id()::text::bigint AS own, clock_timestamp() AS now
""")
_ORGANIZATIONS = text("""
    SELECT org_id FROM ledger.entries
    WHERE transfer_id >= :first AND transfer_id < :last AND org_id IS NOT NULL
    UNION SELECT org_id FROM ledger.refusals WHERE id >= :first AND id < :last
    UNION SELECT org_id FROM purchase_entries
    WHERE uuid_extract_timestamp(id) >= date_trunc('milliseconds', CAST(:since AS timestamptz))
        AND uuid_extract_timestamp(id) < date_trunc('milliseconds', CAST(:until AS timestamptz))
    ORDER BY 1
""")
#: A report of revenue is confirmed later, and an allocation applied: each is a fact of its own.
_OTHERS = text("""
    SELECT id, 'revenue' AS type, id AS subject, org_id, occurred_at AS at, agent_id, project_id, NULL AS grant_id,
        NULL AS item, coalesce(reported_minor, amount_minor) AS amount_minor, currency,
        CASE WHEN reported_minor IS NULL THEN 'confirmed' ELSE 'reported' END AS status
    FROM revenue_events WHERE id >= :rvn_first AND id < :rvn_last
    UNION ALL
    SELECT id || '.confirmed', 'revenue', id, org_id, occurred_at, agent_id, project_id, NULL,
        NULL, amount_minor, currency, 'confirmed'
    FROM revenue_events
    WHERE confirmed_at >= :since AND confirmed_at < :until AND reported_minor IS NOT NULL
    UNION ALL
    SELECT id, 'secret_use', id, org_id, ended_at, agent_id, NULL, grant_id, meter, cost_minor, 'CREDIT', status
    FROM secret_uses WHERE ended_at >= :since AND ended_at < :until
    UNION ALL
    SELECT id, 'allocation', id, org_id, created_at, NULL, project_id, NULL, NULL, total_minor, currency, 'proposed'
    FROM allocations WHERE id >= :alo_first AND id < :alo_last
    UNION ALL
    SELECT id || '.applied', 'allocation', id, org_id, applied_at, NULL, project_id, NULL, NULL, total_minor, currency,
        'applied'
    FROM allocations WHERE applied_at >= :since AND applied_at < :until
""")


async def clock(session: AsyncSession) -> tuple[int, int, datetime]:
    """Return the oldest open transaction, this one, and the time."""
    found = (await session.execute(_CLOCK)).one()
    return found.oldest, found.own, found.now


def below(until: datetime) -> Position:
    """Return the position below which entries were recorded before a time."""
    return (uuid_of(first_id("x", until)),)


async def organizations(session: AsyncSession, since: datetime, until: datetime) -> Sequence[str]:
    """Return the organizations whose log can have entries that were recorded in a window."""
    first, last = (uuid_of(first_id("x", each)) for each in (since, until))
    return (await session.scalars(_ORGANIZATIONS, {"first": first, "last": last, "since": since, "until": until})).all()


async def entries(
    session: AsyncSession, org_id: str, since: datetime, before: Position
) -> tuple[Sequence[LogEntry], Position | None]:
    """Return entries of an organization's log that were recorded since a time, and where the next ones begin.

    The latest come first, from below a position on; the position of the next ones is None at the end.
    """
    page = await economics.page(session, ListFilter(org_id=org_id, after=before, limit=PAGE))
    first = uuid_of(first_id("x", since))
    following = page.following if page.following is not None and page.following[0] >= first else None
    return [entry for entry in page.rows if entry.place >= first], following


async def others(session: AsyncSession, since: datetime, until: datetime) -> Sequence[RowMapping]:
    ids = {
        f"{prefix}_{end}": first_id(prefix, each)
        for prefix in ("rvn", "alo")
        for end, each in (("first", since), ("last", until))
    }
    return (await session.execute(_OTHERS, {**ids, "since": since, "until": until})).mappings().all()
