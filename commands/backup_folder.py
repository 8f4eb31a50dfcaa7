"""Folder of backups: base backups with their descriptions, and the archived WAL in `wal`.

A base is PostgreSQL's copy of the cluster, with a manifest for verification. The server archives each WAL segment,
compressed, so that a base can be recovered to any later time.
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
    """Base backup.

    Attributes:
        name: of its folder.
        ended_at: the earliest time that it can be recovered to, by the server's clock.
        database: of the books.
        owner: the role that took it, which may read everything.
        first_segment: of the WAL that it needs.
    """

    name: str
    ended_at: datetime
    database: str
    owner: str
    first_segment: str


def archive_command(wal: Path) -> str:
    """Return the server's `archive_command`: atomic for each segment, and without overwriting.

    An existing segment with the same content counts as archived, because a crashed server may repeat the command.
    """
    to = _quoted(wal)
    whole, part = f"{to}/%f.gz", f"{to}/%f.part"
    compressed = f'gzip -1 <"%p" >{part} && sync {part} && mv {part} {whole} && sync {to}'
    return f'if test -e {whole}; then gzip -dc {whole} | cmp -s - "%p"; else {compressed}; fi'


def restore_command(wal: Path) -> str:
    """Return the `restore_command`: a missing segment is the end of the recovery, a damaged one aborts it."""
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
        """Lock the folder against other backups, which would remove unfinished ones. The lock ends with the process.

        Raises:
            CommandFailed: another backup is running.
        """
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        with (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandFailed(f"Another backup into {self.path} is running. Wait until it ends.") from None
            yield

    def new(self, now: datetime) -> Path:
        """Create the folder of a new base, and remove unfinished ones."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        unfinished = self.path / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if (self.path / _name(now)).exists():
            raise CommandFailed(f"{self.path / _name(now)} is there already.")
        return unfinished

    def finish(self, unfinished: Path, *, now: datetime, ended_at: datetime, database: str, owner: str) -> Base:
        """Rename the verified base to its final name."""
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
            CommandFailed: the folder or a base cannot be read.
        """
        try:
            found = sorted(self.path.glob(f"*/{DESCRIPTION}"))
            return [_described(file) for file in found if file.parent.name != UNFINISHED]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandFailed(f"The backups in {self.path} cannot be read: {error}") from error

    def base_for(self, at: datetime | None) -> Base:
        """Return the newest base that can be recovered to a time; by default the newest.

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
        """Return the names of the segments in a base and in the archive, in order."""
        own = (path.name for path in (self.data(base.name) / "pg_wal").glob("*") if _SEGMENT.match(f"{path.name}.gz"))
        return sorted({*own, *self.segments()})

    def drop_all_but(self, keep: int) -> list[Base]:
        """Remove all but the newest bases, and WAL that they do not need; return the removed names."""
        bases = self.bases()
        dropped, kept = bases[:-keep], bases[-keep:]
        for base in dropped:
            shutil.rmtree(self.path / base.name)
        for segment in self.segments():
            # By number only: the age of a segment of an older timeline follows from its number.
            if segment[8:] < min(base.first_segment[8:] for base in kept):
                (self.wal / f"{segment}.gz").unlink()
        return dropped


def missing_segment(base: Base, segments: Sequence[str]) -> str | None:
    """Return the first missing segment that a base needs, if a later one of its timeline exists."""
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
