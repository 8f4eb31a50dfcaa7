"""When the API was there, by the clock of the database; needs a platform session."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.escrow.outage import Outage

#: The API counts as away once no process has written for this long. A restart takes less.
AWAY_AFTER = timedelta(minutes=1)

_NOTE = text("""
    INSERT INTO api_presence AS p (id, seen_at) VALUES (1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET
        away_from = CASE WHEN excluded.seen_at - p.seen_at > :away_after THEN p.seen_at ELSE p.away_from END,
        away_until = CASE WHEN excluded.seen_at - p.seen_at > :away_after THEN excluded.seen_at ELSE p.away_until END,
        seen_at = greatest(p.seen_at, excluded.seen_at)
""")
_OUTAGE = text("""
    SELECT CASE WHEN is_away THEN seen_at ELSE away_from END AS began_at,
        CASE WHEN NOT is_away THEN away_until END AS ended_at
    FROM (SELECT p.*, clock_timestamp() - p.seen_at > :away_after AS is_away FROM api_presence p) AS found
    WHERE is_away OR away_from IS NOT NULL
""")


async def note(session: AsyncSession) -> None:
    """Note that the API is there, and since when it was away if it was."""
    await session.execute(_NOTE, {"away_after": AWAY_AFTER})


async def outage(session: AsyncSession) -> Outage | None:
    """Return the latest outage of the API, which may last; None if none was noted, or no web process ever ran."""
    row = (await session.execute(_OUTAGE, {"away_after": AWAY_AFTER})).one_or_none()
    return None if row is None else Outage(began_at=row.began_at, ended_at=row.ended_at)
