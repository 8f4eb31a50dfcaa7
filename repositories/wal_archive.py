"""Whether the server archives its WAL: what is not archived is in no backup, and fills its disk."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

# A server that archives nothing, because nothing happens or nobody asked for it, fails at nothing.
# A command that hangs is counted nowhere: a segment has ended behind the last one that was archived, and waits. Where
# that one is no segment, or not known since a crash, those that `archive_timeout` ends have to follow.
_FAILING_SINCE = """
    SELECT coalesce(last_archived_time, stats_reset, last_failed_time) FROM pg_stat_archiver
    WHERE last_failed_time > coalesce(last_archived_time, '-infinity')
        OR current_setting('archive_mode') <> 'off' AND CASE WHEN last_archived_wal ~ '^[0-9A-F]{24}$'
            THEN (pg_split_walfile_name(pg_walfile_name(pg_current_wal_lsn()))).segment_number
                - (pg_split_walfile_name(last_archived_wal)).segment_number > 1
            ELSE current_setting('archive_timeout') <> '0'
        END
"""


async def failing_since(pool: "asyncpg.Pool[asyncpg.Record]") -> datetime | None:
    """Return when the server archived WAL last, or when it began to count; None where nothing failed or waits."""
    found: datetime | None = await pool.fetchval(_FAILING_SINCE)
    return found
