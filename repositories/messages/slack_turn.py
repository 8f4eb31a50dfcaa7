"""Turns of Slack hooks, by the database's clock. Needs a platform session."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Concurrent requests wait for the row's lock. `now()` would be the beginning of their transactions.
_TAKE = text("""
    INSERT INTO slack_turns AS t (hook, free_at) VALUES (:hook, clock_timestamp() + CAST(:pause AS interval))
    ON CONFLICT (hook) DO UPDATE SET free_at = greatest(t.free_at, clock_timestamp()) + CAST(:pause AS interval)
        WHERE t.free_at <= clock_timestamp() + CAST(:at_most AS interval)
    RETURNING free_at - CAST(:pause AS interval) - clock_timestamp()
""")
_LEFT = text("SELECT free_at - clock_timestamp() FROM slack_turns WHERE hook = :hook")
_HOLD = text("""
    INSERT INTO slack_turns AS t (hook, free_at) VALUES (:hook, clock_timestamp() + CAST(:wait AS interval))
    ON CONFLICT (hook) DO UPDATE SET free_at = greatest(t.free_at, excluded.free_at)
""")


async def take(session: AsyncSession, hook: str, *, pause: timedelta, at_most: timedelta) -> tuple[timedelta, bool]:
    """Take the next turn of a hook, and return the wait for it; the following turn is one pause later.

    The second value is whether it was taken; a turn later than `at_most` from now is not.
    """
    taken = (await session.execute(_TAKE, {"hook": hook, "pause": pause, "at_most": at_most})).scalar_one_or_none()
    if taken is not None:
        return max(taken, timedelta()), True
    left: timedelta = (await session.execute(_LEFT, {"hook": hook})).scalar_one()
    return max(left, timedelta()), False


async def hold(session: AsyncSession, hook: str, wait: timedelta) -> None:
    """Give no turn of a hook before a wait is over."""
    await session.execute(_HOLD, {"hook": hook, "wait": wait})
