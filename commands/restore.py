"""`manage restore`: a cluster as it was at a moment, from a base backup and the archived WAL, with its books proven.

The folder of backups is only read, so a drill leaves nothing in it. The server that uses the cluster begins a timeline
of its own: its WAL belongs into another folder, beside a base backup of its own.
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import asyncpg

from commands.backup_folder import BackupFolder, Base, missing_segment, restore_command
from commands.base import connected
from commands.cluster import Account, account_for, give, recovered, require_readable
from commands.failure import CommandFailed
from commands.manifest import prove
from commands.verify import verify
from ledger.verify import Report


def run(given: argparse.Namespace) -> int:
    """Restore and prove the books; the status is 1 when they are damaged."""
    folder, cluster = BackupFolder(getattr(given, "from").absolute()), given.to.absolute()
    at = _moment(given.at) if given.at else None
    _require_empty(cluster)
    base = folder.base_for(at)
    if at is None and (missing := missing_segment(base, folder.segments_from(base))):
        raise CommandFailed(
            f"{missing} is missing from {folder.wal}, and there is WAL behind it: find it, or name a moment before it "
            "with --at."
        )
    account = account_for(folder.wal, cluster)
    if folder.wal.exists():
        require_readable(folder.wal, account)
    prove(folder.data(base.name))
    settings = {"restore_command": restore_command(folder.wal), "recovery_target_action": "promote"}
    if at is not None:
        settings["recovery_target_time"] = at.isoformat()
    try:
        reached, report = _restored(folder.data(base.name), base, cluster, settings, account)
    except CommandFailed:
        # What is there is no cluster that anybody should start, and the command can be repeated.
        shutil.rmtree(cluster, ignore_errors=True)
        raise
    sys.stdout.write("\n".join([_outcome(folder, base, cluster, reached), *report.lines()]) + "\n")
    return 0 if report.ok else 1


def _require_empty(cluster: Path) -> None:
    if cluster.exists() and (not cluster.is_dir() or any(cluster.iterdir())):
        raise CommandFailed(f"{cluster} is not empty: nothing is restored over what is there.")


def _copy(source: Path, cluster: Path) -> None:
    try:
        shutil.copytree(source, cluster, symlinks=True, dirs_exist_ok=True)
        cluster.chmod(0o700)
        (cluster / "recovery.signal").touch(mode=0o600)
    except (OSError, shutil.Error) as error:
        raise CommandFailed(f"The cluster cannot be written: {error}") from error


def _restored(
    data: Path, base: Base, cluster: Path, settings: Mapping[str, str], account: Account | None
) -> tuple[datetime | None, Report]:
    """Copy the base, have it recover, and prove its books."""
    _copy(data, cluster)
    give(cluster, account)
    with recovered(cluster, settings, account) as address:
        url = f"postgresql://{quote(base.owner)}@/{quote(base.database)}?{address}"
        return asyncio.run(connected(url, _prove_books))


async def _prove_books(connection: asyncpg.Connection) -> tuple[datetime | None, Report]:
    """Return when the last transaction that was brought back had ended, and what proving the books found."""
    return await connection.fetchval("SELECT pg_last_xact_replay_timestamp()"), await verify(connection)


def _outcome(folder: BackupFolder, base: Base, cluster: Path, reached: datetime | None) -> str:
    moment = max(reached or base.ended_at, base.ended_at).astimezone(UTC)
    return f"restored {folder.path / base.name} to {cluster}, as of {moment:%Y-%m-%d %H:%M:%S} UTC"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"A time is written like 2026-01-31T12:00:00Z: {error}") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
