"""When each hook of Slack may be posted to next; needs a platform session. Times are the database's alone."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# The row's lock puts those who ask at once in a row. `now()` would be when their transactions began.
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
    """Take the next turn of a hook, and return how far away it is; the one after it is a pause later.

    The second value tells whether it was taken: one that is further away than `at_most` is left.
    """
    taken = (await session.execute(_TAKE, {"hook": hook, "pause": pause, "at_most": at_most})).scalar_one_or_none()
    if taken is not None:
        return max(taken, timedelta()), True
    left: timedelta = (await session.execute(_LEFT, {"hook": hook})).scalar_one()
    return max(left, timedelta()), False


async def hold(session: AsyncSession, hook: str, wait: timedelta) -> None:
    """Give nobody a turn before a time is over."""
    await session.execute(_HOLD, {"hook": hook, "wait": wait})
