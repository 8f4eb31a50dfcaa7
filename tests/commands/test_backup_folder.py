"""The contents of a backup folder, and how the server's WAL is archived there and restored from it."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands.backup_folder import BackupFolder, archive_command, missing_segment, restore_command
from commands.cluster import connection_arguments, require_readable
from commands.failure import CommandFailed
from manage import main

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SEGMENT = "000000010000000000000007"


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "all backups")


def take(folder: BackupFolder, hours: int, segment: str = SEGMENT) -> str:
    now = NOON + timedelta(hours=hours)
    unfinished = folder.new(now)
    (unfinished / "data" / "pg_wal" / "archive_status").mkdir(parents=True)
    (unfinished / "data" / "pg_wal" / segment).touch()
    (unfinished / "data" / "backup_label").write_text(f"START WAL LOCATION: 0/7000028 (file {segment})\nLABEL: x\n")
    ended_at = now + timedelta(minutes=5)
    return folder.finish(unfinished, now=now, ended_at=ended_at, database="bursar", owner="postgres").name


def archived(folder: BackupFolder, *segments: str) -> None:
    folder.wal.mkdir(exist_ok=True, parents=True)
    for segment in segments:
        (folder.wal / f"{segment}.gz").touch()


def test_moment_is_restored_from_the_newest_base_that_had_ended_by_then(folder: BackupFolder) -> None:
    first, second = take(folder, 0), take(folder, 24)
    assert folder.base_for(None).name == second
    assert folder.base_for(NOON + timedelta(hours=24, minutes=5)).name == second
    assert folder.base_for(NOON + timedelta(hours=24, minutes=4)).name == first
    with pytest.raises(CommandFailed, match=r"No backup in .* is that old: the first one ended at 2026-01-31T12:05:00"):
        folder.base_for(NOON + timedelta(minutes=4))


def test_unfinished_base_backup_is_ignored(folder: BackupFolder) -> None:
    folder.new(NOON)
    with pytest.raises(CommandFailed, match="There is no backup in"):
        folder.base_for(None)
    assert [base.name for base in folder.bases()] == []


def test_backup_does_not_remove_a_concurrent_one(folder: BackupFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with folder.alone():
        unfinished = folder.new(NOON)
        given = ["backup", "--to", str(folder.path), "--database-url", "postgresql://nobody@127.0.0.1:1/none"]
        assert main(given) == 2
        assert capsys.readouterr().err == f"error: Another backup into {folder.path} is running. Wait until it ends.\n"
        assert unfinished.exists()
    with folder.alone():
        assert [base.name for base in folder.bases()] == []


def test_unreadable_description_is_reported(folder: BackupFolder) -> None:
    (folder.path / take(folder, 0) / "backup.json").write_text(json.dumps({"ended_at": "soon"}))
    with pytest.raises(CommandFailed, match="cannot be read"):
        folder.bases()


def test_retention_deletes_older_base_backups_and_their_wal(folder: BackupFolder) -> None:
    take(folder, 0, "000000010000000000000003")
    kept = [take(folder, 24, "000000010000000000000005"), take(folder, 48, "000000020000000000000009")]
    segments = [f"0000000{line}00000000{number:08X}" for line, number in ((1, 3), (1, 4), (1, 5), (1, 8), (2, 9))]
    archived(folder, *segments)
    (folder.wal / "00000002.history.gz").touch()
    assert [base.name for base in folder.drop_all_but(2)] == ["20260131T120000Z"]
    assert [base.name for base in folder.bases()] == kept
    assert folder.segments() == segments[2:]
    assert (folder.wal / "00000002.history.gz").exists()


@pytest.mark.parametrize(
    ("first", "segments", "missing"),
    [
        (SEGMENT, [], None),
        (SEGMENT, [SEGMENT], None),
        (SEGMENT, ["000000010000000000000001", SEGMENT, "000000010000000000000008"], None),
        (SEGMENT, [SEGMENT, "000000010000000000000009"], "000000010000000000000008"),
        ("0000000100000000000000FE", ["0000000100000000000000FF", "000000010000000100000000"], None),
        ("0000000100000000000000FE", ["000000010000000100000000"], "0000000100000000000000FF"),
        (SEGMENT, [SEGMENT, "000000020000000000000009"], None),
        (SEGMENT, ["000000010000000000000008"], None),
        (SEGMENT, ["000000010000000000000009"], "000000010000000000000008"),
    ],
)
def test_wal_that_is_missing_before_other_wal_is_named(
    folder: BackupFolder, first: str, segments: list[str], missing: str | None
) -> None:
    """The base itself holds the WAL that was written while it was taken."""
    take(folder, 0, first)
    archived(folder, *segments)
    base = folder.base_for(None)
    assert missing_segment(base, folder.segments_from(base)) == missing


def archive(folder: BackupFolder, source: Path) -> int:
    command = archive_command(folder.wal).replace("%p", source.name).replace("%f", SEGMENT)
    return subprocess.run(["sh", "-c", command], cwd=source.parent, check=False).returncode


def bring_back(folder: BackupFolder, target: Path) -> int:
    command = restore_command(folder.wal).replace("%p", target.name).replace("%f", SEGMENT)
    return subprocess.run(["sh", "-c", command], cwd=target.parent, check=False, stderr=subprocess.DEVNULL).returncode


def test_segment_is_archived_once_and_never_overwritten(folder: BackupFolder, tmp_path: Path) -> None:
    folder.wal.mkdir(parents=True)
    segment, back = tmp_path / "a segment", tmp_path / "back"
    segment.write_bytes(b"what was committed")
    assert archive(folder, segment) == 0
    assert archive(folder, segment) == 0
    assert [path.name for path in folder.wal.iterdir()] == [f"{SEGMENT}.gz"]
    segment.write_bytes(b"of another cluster")
    assert archive(folder, segment) != 0
    assert bring_back(folder, back) == 0
    assert back.read_bytes() == b"what was committed"


def test_segment_that_is_not_there_ends_the_archive_and_one_that_is_damaged_ends_the_recovery(
    folder: BackupFolder, tmp_path: Path
) -> None:
    folder.wal.mkdir(parents=True)
    assert bring_back(folder, tmp_path / "back") == 1
    (folder.wal / f"{SEGMENT}.gz").write_bytes(b"damaged")
    # PostgreSQL takes what is above 125 for a failure, and everything else for the end of the WAL.
    assert bring_back(folder, tmp_path / "back") > 125


def test_archive_that_the_server_cannot_read_is_not_taken_for_empty(folder: BackupFolder) -> None:
    with pytest.raises(CommandFailed, match=r"this account, which cannot read .*/wal"):
        require_readable(folder.wal, None)
    folder.wal.mkdir(parents=True)
    require_readable(folder.wal, None)


@pytest.mark.parametrize("address", ["bursar:hunter2hunter2@db/bursar?", "bursar@db/bursar?password=hunter2hunter2&"])
def test_password_of_an_address_is_on_no_command_line(address: str) -> None:
    shown, environment = connection_arguments(f"postgresql://{address}sslmode=require")
    assert shown == "postgresql://bursar@db/bursar?sslmode=require"
    assert environment == {"PGPASSWORD": "hunter2hunter2"}
    with pytest.raises(CommandFailed, match="on their command line"):
        connection_arguments("postgresql://bursar@db/bursar?sslpassword=hunter3hunter3")
