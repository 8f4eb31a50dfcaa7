"""When the API was there, by the clock of the database; needs a platform session."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.escrow.outage import MAX_EXTENSION, Outage

#: The API counts as away once no process has written for this long. A restart takes less.
AWAY_AFTER = timedelta(minutes=1)

#: The outage that ends now or lasts, and what the ones before it had not given back when it began: what was owed at
#: their end, less the time that the API was there since.
_AWAY = """
    SELECT p.seen_at AS away_from, CASE WHEN left_over > interval '0' THEN left_over END AS owed,
        CASE WHEN left_over > interval '0' THEN coalesce(p.owed_from, p.away_from) END AS owed_from
    FROM api_presence p, LATERAL (
        SELECT least(p.away_until - p.away_from + coalesce(p.owed, interval '0'), :longest)
            - (p.seen_at - p.away_until) AS left_over
    ) AS before
    WHERE clock_timestamp() - p.seen_at > :away_after
"""
_NOTE = text(f"""
    WITH away AS ({_AWAY})
    INSERT INTO api_presence AS p (id, seen_at) VALUES (1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET
        (away_from, away_until, owed, owed_from) = (
            SELECT away_from, excluded.seen_at, owed, owed_from FROM away WHERE away_from = p.seen_at
            UNION ALL
            SELECT p.away_from, p.away_until, p.owed, p.owed_from
            WHERE NOT EXISTS (SELECT FROM away WHERE away_from = p.seen_at)
        ),
        seen_at = greatest(p.seen_at, excluded.seen_at)
""")
_OUTAGE = text(f"""
    WITH away AS ({_AWAY})
    SELECT away_from AS began_at, CAST(NULL AS timestamptz) AS ended_at, owed, owed_from FROM away
    UNION ALL
    SELECT away_from, away_until, owed, owed_from FROM api_presence
    WHERE away_from IS NOT NULL AND NOT EXISTS (SELECT FROM away)
""")


async def note(session: AsyncSession) -> None:
    await session.execute(_NOTE, {"away_after": AWAY_AFTER, "longest": MAX_EXTENSION})


async def outage(session: AsyncSession) -> Outage | None:
    """Return the latest outage of the API, which may last; None if none was noted, or no web process ever ran."""
    row = (await session.execute(_OUTAGE, {"away_after": AWAY_AFTER, "longest": MAX_EXTENSION})).one_or_none()
    if row is None:
        return None
    return Outage(began_at=row.began_at, ended_at=row.ended_at, owed=row.owed or timedelta(0), owed_from=row.owed_from)
