"""A base backup is believed as far as its manifest proves it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.failure import CommandFailed
from commands.manifest import prove


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A backup as `pg_basebackup` writes it, with a manifest of PostgreSQL's form."""
    for name, content in {"PG_VERSION": b"18\n", "base/5/1255": b"rows", "backup_label": b"START"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    files = [
        {
            **({"Encoded-Path": b"PG_VERSION".hex()} if path.name == "PG_VERSION" else {"Path": str(path)}),
            "Size": (tmp_path / path).stat().st_size,
            "Checksum-Algorithm": "SHA256",
            "Checksum": hashlib.sha256((tmp_path / path).read_bytes()).hexdigest(),
        }
        for path in (Path("PG_VERSION"), Path("base/5/1255"), Path("backup_label"))
    ]
    head = json.dumps({"PostgreSQL-Backup-Manifest-Version": 2, "Files": files})[:-1] + ",\n"
    checksum = hashlib.sha256(head.encode()).hexdigest()
    (tmp_path / "backup_manifest").write_text(f'{head}"Manifest-Checksum": "{checksum}"}}\n')
    for name in ("pg_wal/000000010000000000000007", "postgresql.auto.conf", "recovery.signal"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"is of the server that runs")
    return tmp_path


def test_backup_as_it_was_written_is_proven(data: Path) -> None:
    prove(data)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: (data / "base/5/1255").unlink(), "lacks the file base/5/1255"),
        (lambda data: (data / "base/5/1255").write_bytes(b"rowz"), "base/5/1255 is not what was backed up"),
        (lambda data: (data / "PG_VERSION").write_bytes(b"18"), "PG_VERSION is not what was backed up"),
        (lambda data: (data / "base/5/1256").write_bytes(b""), "was not backed up: base/5/1256"),
        (lambda data: (data / "backup_manifest").unlink(), "cannot be read"),
        (
            lambda data: (data / "backup_manifest").write_text(
                (data / "backup_manifest").read_text().replace('"Size": 4', '"Size": 5')
            ),
            "its checksum is another",
        ),
        (lambda data: (data / "backup_manifest").write_text("{}"), "cannot be read"),
    ],
)
def test_differences_from_the_manifest_are_named(data: Path, damage: Callable[[Path], object], told: str) -> None:
    damage(data)
    with pytest.raises(CommandFailed, match=told):
        prove(data)
