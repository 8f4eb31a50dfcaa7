"""The embedded PostgreSQL: a cluster in a directory, served on a unix socket only, and durable (fsync on).

It is run directly as a foreground child, without `pg_ctl`, so that its parent owns it. PostgreSQL refuses to run as
root: then the cluster belongs to `nobody` and the server runs as that account.
"""

import contextlib
import hashlib
import logging
import os
import re
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psutil

from commands.backup_folder import BackupFolder, archive_command
from commands.cluster import NAMED, installed_programs
from dev.stack.process import START_SECONDS, Process, Program, StackError, kill_tree, log_tail, unprivileged_account

log = logging.getLogger(__name__)

MAX_SOCKET_PATH_BYTES = 100
"""A unix socket's path may have 107 bytes on Linux and 103 on macOS."""

SOCKET_NAME = ".s.PGSQL.5432"

PROGRAMS = ("postgres", "initdb", "pg_isready", "psql")
"""What the stack runs of PostgreSQL's programs."""

SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "fsync": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_checkpoints": "off",
    # A failing statement's text may hold what a log must not.
    "log_min_error_statement": "panic",
}


def find_binaries() -> Path:
    """Return the directory of PostgreSQL 18's programs: BURSAR_POSTGRES_BIN, else that of the installed package.

    Raises:
        StackError: the named directory has no PostgreSQL 18 that can run here, or nothing is installed.
    """
    named = os.environ.get(NAMED)
    if named:
        return _checked(Path(named).absolute())
    installed = installed_programs()
    if installed is not None:
        return installed
    raise StackError(f"PostgreSQL 18 is not installed: set {NAMED}, or let `make` install requirements-dev.lock.")


def _checked(binaries: Path) -> Path:
    missing = [name for name in PROGRAMS if not (binaries / name).is_file()]
    if missing:
        raise StackError(
            f"{NAMED} names {binaries}, which has no {missing[0]}: name PostgreSQL 18's folder of programs."
        )
    account = unprivileged_account()
    try:
        said = subprocess.run(
            [binaries / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        by = f"the account {account.name}" if account else "this account"
        raise StackError(f"{NAMED} names {binaries}, whose postgres {by} cannot run.") from error
    if not re.search(r"\(PostgreSQL\) 18(?!\d)", said):
        raise StackError(f"{NAMED} names {binaries}, which is {said}: Bursar needs PostgreSQL 18.")
    return binaries


def backup_folder() -> BackupFolder | None:
    """Return the folder of backups that BURSAR_BACKUP_DIR names; None if the WAL is not archived."""
    named = os.environ.get("BURSAR_BACKUP_DIR")
    return BackupFolder(Path(named).absolute()) if named else None


def archiving(wal: Path) -> dict[str, str]:
    """Return the settings of a server that archives its WAL: at most a minute of it is lost with the disk."""
    return {"archive_mode": "on", "archive_timeout": "60s", "archive_command": archive_command(wal)}


def socket_directory(data_dir: Path) -> Path:
    """Return the socket's folder: the cluster's, or a shorter path where that is too long for a socket."""
    beside = data_dir / "run"
    if len(os.fsencode(beside / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES:
        return beside
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"bursar-{digest}"


def database_url(socket_dir: Path, role: str, database: str) -> str:
    """Return the URL of a database behind the socket, as asyncpg, SQLAlchemy and libpq read it."""
    return f"postgresql://{role}@/{database}?host={quote(str(socket_dir))}"


class Postgres:
    """A cluster. `prepare` makes it, `program` says how to run it, `problem` why it does not answer yet."""

    def __init__(
        self,
        data_dir: Path,
        log_file: Path,
        settings: Mapping[str, str] | None = None,
        backups: BackupFolder | None = None,
    ) -> None:
        """Name the directory of the cluster; nothing is touched yet.

        `settings` override `SERVER_SETTINGS`. Into a folder of backups the server archives its WAL.
        """
        self.data_dir = data_dir.absolute()
        self.cluster_dir = self.data_dir / "cluster"
        self.socket_dir = socket_directory(self.data_dir)
        self.log_file = log_file
        self.backups = backups
        self.settings = {**SERVER_SETTINGS, **(archiving(backups.wal) if backups else {}), **(settings or {})}
        self.binaries = find_binaries()
        self.account = unprivileged_account()

    def url(self, role: str = "postgres", database: str = "bursar") -> str:
        """Return the URL of a database for a role."""
        return database_url(self.socket_dir, role, database)

    def prepare(self) -> None:
        """Make the directories and, the first time, the cluster; clear what a killed server left in the way.

        The caller holds the data directory's lock: a server that still runs on this cluster is a leftover, and ended.
        """
        if self.account:
            self._open_way(self.data_dir)
            if not os.environ.get(NAMED):
                self._open_way(self.binaries)
                self._open_installation()
        self._own(self.data_dir)
        self._own(self.socket_dir)
        if self.backups:
            if self.account:
                self._open_way(self.backups.wal)
            self.backups.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._own(self.backups.wal)
        self._clear_leftovers()
        if not (self.cluster_dir / "PG_VERSION").exists():
            self._initialise()

    def program(self) -> Program:
        """Return the server's command line. SIGINT is its fast shutdown: sessions are ended, nothing is lost."""
        flags = [part for key, value in sorted(self.settings.items()) for part in ("-c", f"{key}={value}")]
        return Program(
            name="postgres",
            argv=(
                str(self.binaries / "postgres"),
                *("-D", str(self.cluster_dir), "-c", f"unix_socket_directories={self.socket_dir}"),
                *flags,
            ),
            log_file=self.log_file,
            env=self._environment(),
            cwd=self.data_dir,
            account=self.account,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        )

    def problem(self) -> str | None:
        """Return None when the server takes connections, otherwise why not yet."""
        result = self._run("pg_isready", "-d", "postgres")
        return None if result.returncode == 0 else result.stdout.strip() or "no answer"

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser and return the unaligned output; raises StackError with psql's own message."""
        result = self._run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql)
        if result.returncode != 0:
            raise StackError(f"psql: {result.stderr.strip()}")
        return result.stdout.strip()

    def ensure_database(self, name: str) -> None:
        """Make the database unless it exists."""
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self.execute(f'CREATE DATABASE "{name}"')

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.binaries / tool), "-h", str(self.socket_dir), "-U", "postgres", *arguments]
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)

    def _environment(self) -> dict[str, str]:
        # Not the caller's whole environment: PGHOST and its like would change what the tools do.
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def _initialise(self) -> None:
        # Made aside and renamed: an initdb that was killed half way leaves nothing that looks like a cluster.
        unfinished = self.data_dir / "cluster.new"
        arguments = [
            *(str(self.binaries / "initdb"), "-D", str(unfinished), "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(() if self.settings["fsync"] == "on" else ("--no-sync",)),
        ]
        self._run_as_account(["rm", "-rf", str(unfinished)])
        result = self._run_as_account(arguments)
        if result.returncode != 0:
            raise StackError(f"initdb failed:\n{result.stdout}{result.stderr}")
        unfinished.rename(self.cluster_dir)

    def _run_as_account(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        account = self.account
        return subprocess.run(
            command,
            env=self._environment(),
            cwd=self.data_dir,
            capture_output=True,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def _own(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.account.uid if self.account else os.geteuid()
        if directory.is_symlink() or directory.stat().st_uid not in {owner, os.geteuid()}:
            raise StackError(f"{directory} belongs to somebody else; choose another BURSAR_DATA_DIR.")
        if self.account:
            os.chown(directory, self.account.uid, self.account.gid)
        directory.chmod(0o700)

    def _open_way(self, path: Path) -> None:
        for parent in path.parents:
            if not parent.exists():
                parent.mkdir(parents=True, mode=0o755)
            status = parent.stat()
            if status.st_mode & stat.S_IXOTH:
                continue
            if status.st_uid != 0:
                raise StackError(
                    f"The account {self._account_name} cannot pass through {parent}: run as that directory's owner "
                    "instead of root, or choose another BURSAR_DATA_DIR."
                )
            log.warning("PostgreSQL runs as %s: letting others pass through %s (o+x)", self._account_name, parent)
            parent.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)

    def _open_installation(self) -> None:
        # Under a strict umask the installed files are root's alone.
        if (self.binaries / "postgres").stat().st_mode & stat.S_IXOTH:
            return
        log.warning("PostgreSQL runs as %s: making its installed programs readable", self._account_name)
        for path in (self.binaries.parent, *self.binaries.parent.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))

    @property
    def _account_name(self) -> str:
        return self.account.name if self.account else "this account"

    def _clear_leftovers(self) -> None:
        # PostgreSQL removes a stale pid file by itself, except when the pid is in use again by another process of the
        # same account: then it would refuse to start for as long as that process lives.
        pid_file = self.cluster_dir / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(pid_file.read_text().split("\n", 1)[0])
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if str(self.cluster_dir) in process.cmdline():
                    log.warning("Ending PostgreSQL %s, which an earlier run left behind", pid)
                    kill_tree(process)
            pid_file.unlink()
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (self.socket_dir / name).unlink(missing_ok=True)


@contextlib.contextmanager
def running_postgres(
    data_dir: Path,
    settings: Mapping[str, str] | None = None,
    backups: BackupFolder | None = None,
) -> Iterator[Postgres]:
    """Run a cluster for the length of the block, for checks, tests and benchmarks."""
    postgres = Postgres(data_dir, data_dir.parent / "postgres.log", settings, backups)
    postgres.prepare()
    process = Process(postgres.program())
    try:
        wait_until_ready(postgres, process)
        yield postgres
    finally:
        process.stop(grace_seconds=20)


def wait_until_ready(postgres: Postgres, process: Process, timeout_seconds: float = START_SECONDS) -> None:
    """Block until the server takes connections; raises StackError with its log when it ended or took too long."""
    give_up_at = time.monotonic() + timeout_seconds
    while problem := postgres.problem():
        if process.exit_code() is not None or time.monotonic() > give_up_at:
            process.kill()
            raise StackError(f"PostgreSQL did not start: {problem}\n{log_tail(postgres.log_file)}")
        time.sleep(0.05)
