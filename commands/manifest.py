"""Verification of a base backup by its manifest, as `pg_verifybackup` does.

That program is missing in some distributions of PostgreSQL, and crashes in the one for development. The format:
https://www.postgresql.org/docs/18/backup-manifest-format.html. The WAL is not in the manifest; recovery reads it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from commands.failure import CommandFailed

MANIFEST = "backup_manifest"
#: Files that may change after a backup, as in `pg_verifybackup`.
IGNORED = frozenset({MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"})
WAL = "pg_wal"


def prove(data: Path) -> None:
    """Compare every file with the manifest, by size and SHA-256.

    Raises:
        CommandFailed: a file is missing, damaged or additional, or the manifest is invalid.
    """
    known = _read(data / MANIFEST)
    there = {
        path.relative_to(data).as_posix(): path for path in data.rglob("*") if path.is_file() and not path.is_symlink()
    }
    for name, entry in known.items():
        path = there.pop(name, None)
        if path is None:
            raise CommandFailed(f"The backup in {data} lacks the file {name}.")
        if path.stat().st_size != entry["Size"] or _digest(path) != entry["Checksum"]:
            raise CommandFailed(f"The backup in {data} is damaged: {name} is not what was backed up.")
    foreign = sorted(name for name in there if name not in IGNORED and not name.startswith(f"{WAL}/"))
    if foreign:
        raise CommandFailed(f"The backup in {data} has a file that was not backed up: {foreign[0]}.")


def _read(manifest: Path) -> dict[str, Any]:
    try:
        content = manifest.read_bytes()
        document = json.loads(content)
        covered = content[: content.rindex(b'"Manifest-Checksum"')]
        if hashlib.sha256(covered).hexdigest() != document["Manifest-Checksum"]:
            raise CommandFailed(f"{manifest} is damaged: its checksum is another.")
        files = {_name(entry): entry for entry in document["Files"]}
        if any(entry.get("Checksum-Algorithm") != "SHA256" for entry in files.values()):
            raise CommandFailed(f"{manifest} does not have SHA-256 checksums of all files.")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandFailed(f"{manifest} cannot be read: {error}") from error
    return files


def _name(entry: dict[str, Any]) -> str:
    return str(entry["Path"]) if "Path" in entry else bytes.fromhex(entry["Encoded-Path"]).decode(errors="replace")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
