"""`manage restore`: a cluster as it was at a moment, from a base backup and the archived WAL, with its books proven.

Documents and events that were numbered after that moment are gone, and their numbers are not given again: each series
goes on behind a gap. The folder of backups is only read, so a drill leaves nothing in it. The server that uses the
cluster begins a timeline of its own: its WAL belongs into another folder, beside a base backup of its own.
"""

import argparse
import asyncio
import contextlib
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from commands.backup_folder import BackupFolder, Base, missing_segment, restore_command
from commands.base import connected
from commands.cluster import account_for, give, recovered, require_readable
from commands.failure import CommandFailed
from commands.manifest import prove
from commands.skip_numbers import MARGIN, NumberGap, configured_entities, skip
from commands.verify import verify
from ledger.verify import VerificationReport
from runtime.settings import read_settings

#: Says where the migrations are.
ALEMBIC = Path(__file__).resolve().parents[1] / "alembic.ini"


def run(given: argparse.Namespace) -> int:
    """Restore and prove the books; the status is 1 when they are damaged, or of another release."""
    folder, cluster = BackupFolder(getattr(given, "from").absolute()), given.to.absolute()
    at = _moment(given.at) if given.at else None
    _require_empty(cluster)
    base = folder.base_for(at)
    if at is None and (missing := missing_segment(base, folder.segments_from(base))):
        raise CommandFailed(
            f"{missing} is missing from {folder.wal}, and there is WAL behind it: find it, or name a moment before it "
            "with --at."
        )
    by = MARGIN if given.skip_numbers is None else given.skip_numbers
    if by < 0:
        raise CommandFailed("--skip-numbers must be 0 or more.")
    entities = configured_entities(read_settings())
    account = account_for(folder.wal, cluster)
    if folder.wal.exists():
        require_readable(folder.wal, account)
    prove(folder.data(base.name))
    settings = {"restore_command": restore_command(folder.wal), "recovery_target_action": "promote"}
    if at is not None:
        settings["recovery_target_time"] = at.isoformat()
    with contextlib.ExitStack() as running:
        try:
            _copy(folder.data(base.name), cluster)
            give(cluster, account)
            address = running.enter_context(recovered(cluster, settings, account))
        except CommandFailed:
            # The incomplete cluster must not be started, and the command can be repeated.
            shutil.rmtree(cluster, ignore_errors=True)
            raise
        url = f"postgresql://{quote(base.owner)}@/{quote(base.database)}?{address}"
        reached = asyncio.run(connected(url, _reached))
        sys.stdout.write(f"{_outcome(folder, base, cluster, reached)}\n")
        gaps, report = asyncio.run(connected(url, partial(_numbered_and_proven, by=by, entities=entities)))
    sys.stdout.writelines(f"{gap.line()}\n" for gap in gaps)
    sys.stdout.write("\n".join(report.lines()) + "\n")
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


async def _reached(connection: asyncpg.Connection) -> datetime | None:
    """Return when the last transaction that was brought back had ended."""
    reached: datetime | None = await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
    return reached


async def _numbered_and_proven(
    connection: asyncpg.Connection, by: int, entities: Sequence[str]
) -> tuple[Sequence[NumberGap], VerificationReport]:
    """Pass over numbers that may have been given since; return the gaps, and what proving the books found.

    Raises:
        CommandFailed: another release made their schema, which the checks of this one do not know.
    """
    held = await connection.fetchval("SELECT version_num FROM alembic_version")
    known = ScriptDirectory.from_config(Config(ALEMBIC)).get_current_head()
    if held != known:
        raise CommandFailed(
            f"The books were not proven: they are at revision {held}, and this release proves those at {known}. Start "
            "the cluster, bring it to this release (alembic upgrade head), and run `python -m manage skip-numbers --by "
            f"{max(1, by)}` and `python -m manage verify`; or restore with the release that they are of.",
            status=1,
        )
    gaps = await skip(connection, by, entities) if by else []
    return gaps, await verify(connection)


def _outcome(folder: BackupFolder, base: Base, cluster: Path, reached: datetime | None) -> str:
    moment = max(reached or base.ended_at, base.ended_at).astimezone(UTC)
    return f"restored {folder.path / base.name} to {cluster}, as of {moment:%Y-%m-%d %H:%M:%S} UTC"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"A time is written like 2026-01-31T12:00:00Z: {error}") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
