"""Whether the server archives its WAL: what is not archived is in no backup, and fills its disk."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

# A server that archives nothing, because nothing happens or nobody asked for it, fails at nothing.
_FAILING_SINCE = """
    SELECT coalesce(last_archived_time, stats_reset, last_failed_time) FROM pg_stat_archiver
    WHERE last_failed_time > coalesce(last_archived_time, '-infinity')
"""


async def failing_since(pool: "asyncpg.Pool[asyncpg.Record]") -> datetime | None:
    """Return when the server archived WAL last, or when it began to count, where it has failed since; else None."""
    found: datetime | None = await pool.fetchval(_FAILING_SINCE)
    return found
