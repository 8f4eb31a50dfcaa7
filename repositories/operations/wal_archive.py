"""Check of the server's WAL archiving. WAL that is not archived is missing in backups and fills the disk."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

# A server without activity, or without archiving, is not failing. PostgreSQL does not report an archive command that
# hangs, but a completed segment after the last archived one reveals it. If the last archived file is not a segment, or
# unknown after a crash, segments completed by `archive_timeout` must follow.
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
    """Return the time of the last archiving, or of the statistics' start; None if no segment has failed or waits."""
    found: datetime | None = await pool.fetchval(_FAILING_SINCE)
    return found
