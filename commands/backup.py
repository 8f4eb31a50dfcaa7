"""`manage backup`: a verified base backup of the whole cluster, in the folder of the archived WAL.

The server archives into the folder's `wal`, by its own `archive_command`, which is tested at the end.
"""

import argparse
import asyncio
import sys
import time
from datetime import datetime

import asyncpg

from commands.backup_folder import BackupFolder
from commands.base import connected
from commands.cluster import connection_arguments, run_program
from commands.failure import CommandFailed
from commands.manifest import prove
from runtime.settings import read_settings

#: Time limit for archiving a segment.
ARCHIVED_WITHIN_SECONDS = 60.0


def run(given: argparse.Namespace) -> int:
    """Take a base backup; the status is 1 if the server archives no WAL into the folder."""
    folder = BackupFolder(given.to.absolute())
    url = given.database_url or read_settings().migration_database_url
    if given.keep is not None and given.keep < 1:
        raise CommandFailed("--keep takes 1 or more.")
    try:
        with folder.alone():
            ended_at = _take(folder, url, given.keep)
    except OSError as error:
        raise CommandFailed(f"The backup cannot be written: {error}") from error
    segment = asyncio.run(connected(url, archived_segment))
    if segment is not None and (folder.wal / f"{segment}.gz").exists():
        sys.stdout.write(f"WAL is archived in {folder.wal}: any later moment can be restored\n")
        return 0
    sys.stderr.write(
        f"The server archived no WAL into {folder.wal}, so this backup restores to {ended_at:%Y-%m-%d %H:%M:%S} UTC "
        "only: set archive_mode and archive_command (docs/operate/runbooks/restoring-a-backup.md).\n"
    )
    return 1


def _take(folder: BackupFolder, url: str, keep: int | None) -> datetime:
    """Take a base backup and remove older ones; return its time."""
    database, owner, now = asyncio.run(connected(url, _place_and_time))
    unfinished = folder.new(now)
    address, secret = connection_arguments(url)
    run_program(
        "pg_basebackup",
        *("--pgdata", str(unfinished / "data"), "--dbname", address, "--no-password"),
        *("--checkpoint", "fast", "--wal-method", "stream", "--manifest-checksums", "SHA256"),
        env=secret,
    )
    prove(unfinished / "data")
    ended_at = asyncio.run(connected(url, _place_and_time))[-1]
    base = folder.finish(unfinished, now=now, ended_at=ended_at, database=database, owner=owner)
    sys.stdout.write(f"backup {folder.path / base.name}, verified, of {ended_at:%Y-%m-%d %H:%M:%S} UTC\n")
    for dropped in folder.drop_all_but(keep) if keep else []:
        sys.stdout.write(f"removed {folder.path / dropped.name}\n")
    return ended_at


async def _place_and_time(connection: asyncpg.Connection) -> tuple[str, str, datetime]:
    row = await connection.fetchrow("SELECT current_database(), current_user, clock_timestamp()")
    assert row is not None
    return row[0], row[1], row[2]


async def archived_segment(connection: asyncpg.Connection) -> str | None:
    """Switch to a new WAL segment, and return the ended one once it is archived; None if it is not.

    The server's statistics are checked, because a file of that name may belong to another cluster.
    """
    if await connection.fetchval("SHOW archive_mode") == "off":
        return None
    # A segment with nothing in it since the last switch is not ended.
    await connection.execute("SELECT pg_logical_emit_message(false, 'bursar', 'backup')")
    segment = str(await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())"))
    give_up_at = time.monotonic() + ARCHIVED_WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        archived = await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver")
        if archived is not None and archived[:24] >= segment:
            return segment
        await asyncio.sleep(0.1)
    return None
