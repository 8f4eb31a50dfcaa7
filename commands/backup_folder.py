"""What a folder of backups holds: base backups, each beside what is known of it, and the archive of the WAL in `wal`.

A base is PostgreSQL's own copy of the cluster, with a manifest by which it is verified. The server itself archives each
segment of its WAL, compressed, so that a base can be brought forward to any later moment.
"""

import contextlib
import fcntl
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from commands.failure import CommandFailed

WAL, DATA, DESCRIPTION, UNFINISHED, LOCK = "wal", "data", "backup.json", ".unfinished", ".lock"
#: Timeline, then the number of the segment in two parts: PostgreSQL's names, for segments of 16 MB.
_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})\.gz")
SEGMENTS_PER_FILE_NUMBER = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base backup.

    Attributes:
        name: of its folder.
        ended_at: from when on it can be restored to a moment, by the server's clock.
        database: that holds the books.
        owner: the role that took it, which may read everything.
        first_segment: of the WAL that it needs.
    """

    name: str
    ended_at: datetime
    database: str
    owner: str
    first_segment: str


def archive_command(wal: Path) -> str:
    """Return the server's `archive_command`: each segment is there whole or not at all, and none is overwritten.

    A segment that is there with the same content counts as archived, because a server that crashes may ask again.
    """
    to = _quoted(wal)
    whole, part = f"{to}/%f.gz", f"{to}/%f.part"
    compressed = f'gzip -1 <"%p" >{part} && sync {part} && mv {part} {whole} && sync {to}'
    return f'if test -e {whole}; then gzip -dc {whole} | cmp -s - "%p"; else {compressed}; fi'


def restore_command(wal: Path) -> str:
    """Return the `restore_command`: a segment that is damaged ends the recovery, one that is not there is the end."""
    whole = f"{_quoted(wal)}/%f.gz"
    return f'test -e {whole} || exit 1; gzip -dc {whole} >"%p" || exit 200'


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)).replace("%", "%%")


@dataclass(frozen=True, slots=True)
class BackupFolder:
    path: Path

    @property
    def wal(self) -> Path:
        return self.path / WAL

    def data(self, name: str) -> Path:
        return self.path / name / DATA

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other backups out of the folder: each removes what it finds unfinished. A process that dies lets go.

        Raises:
            CommandFailed: another one is running.
        """
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        with (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandFailed(f"Another backup into {self.path} is running. Wait until it ends.") from None
            yield

    def new(self, now: datetime) -> Path:
        """Make the folder of a base that has yet to be taken; one that was not finished before is removed."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        unfinished = self.path / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if (self.path / _name(now)).exists():
            raise CommandFailed(f"{self.path / _name(now)} is there already.")
        return unfinished

    def finish(self, unfinished: Path, *, now: datetime, ended_at: datetime, database: str, owner: str) -> Base:
        """Give the base its name, after it was verified."""
        label = (unfinished / DATA / "backup_label").read_text()
        found = re.search(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", label, re.MULTILINE)
        assert found is not None
        base = Base(name=_name(now), ended_at=ended_at, database=database, owner=owner, first_segment=found.group(1))
        described = {**asdict(base), "ended_at": ended_at.isoformat()}
        (unfinished / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n")
        unfinished.rename(self.path / base.name)
        return base

    def bases(self) -> list[Base]:
        """Return the bases, the oldest first.

        Raises:
            CommandFailed: the folder cannot be read, or holds a base that cannot.
        """
        try:
            found = sorted(self.path.glob(f"*/{DESCRIPTION}"))
            return [_described(file) for file in found if file.parent.name != UNFINISHED]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandFailed(f"The backups in {self.path} cannot be read: {error}") from error

    def base_for(self, at: datetime | None) -> Base:
        """Return the newest base from which a moment can be reached; without one, the newest.

        Raises:
            CommandFailed: there is none.
        """
        bases = self.bases()
        if not bases:
            raise CommandFailed(f"There is no backup in {self.path}: `python -m manage backup --to …` makes one.")
        reaching = [base for base in bases if at is None or base.ended_at <= at]
        if not reaching:
            first = bases[0].ended_at.isoformat(timespec="seconds")
            raise CommandFailed(f"No backup in {self.path} is that old: the first one ended at {first}.")
        return reaching[-1]

    def segments(self) -> list[str]:
        """Return the names of the archived segments, in order."""
        return sorted(path.name.removesuffix(".gz") for path in self.wal.glob("*.gz") if _SEGMENT.match(path.name))

    def segments_from(self, base: Base) -> list[str]:
        """Return the names of the segments that a base holds itself, and of those in the archive, in order."""
        own = (path.name for path in (self.data(base.name) / "pg_wal").glob("*") if _SEGMENT.match(f"{path.name}.gz"))
        return sorted({*own, *self.segments()})

    def drop_all_but(self, keep: int) -> list[Base]:
        """Remove all bases but the newest, and the WAL that those do not need; return what was removed."""
        bases = self.bases()
        dropped, kept = bases[:-keep], bases[-keep:]
        for base in dropped:
            shutil.rmtree(self.path / base.name)
        for segment in self.segments():
            # By number alone: a segment of an older timeline is as old as its number says.
            if segment[8:] < min(base.first_segment[8:] for base in kept):
                (self.wal / f"{segment}.gz").unlink()
        return dropped


def missing_segment(base: Base, segments: Sequence[str]) -> str | None:
    """Return the first segment that a base needs and that is not there although a later one of its timeline is."""
    timeline = base.first_segment[:8]
    there = [_number(name) for name in segments if name[:8] == timeline and name >= base.first_segment]
    for expected, number in enumerate(there, _number(base.first_segment)):
        if number != expected:
            whole, rest = divmod(expected, SEGMENTS_PER_FILE_NUMBER)
            return f"{timeline}{whole:08X}{rest:08X}"
    return None


def _number(segment: str) -> int:
    return int(segment[8:16], 16) * SEGMENTS_PER_FILE_NUMBER + int(segment[16:], 16)


def _name(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _described(file: Path) -> Base:
    label = json.loads(file.read_text())
    return Base(
        name=file.parent.name,
        ended_at=datetime.fromisoformat(label["ended_at"]),
        database=str(label["database"]),
        owner=str(label["owner"]),
        first_segment=str(label["first_segment"]),
    )
