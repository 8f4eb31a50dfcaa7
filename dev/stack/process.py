"""Programs and the processes that run them: started on a leash, ended politely first and by force in the end."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LEASH = Path(__file__).with_name("leash.py")
LOG_KEEP_BYTES = 20_000_000
LOG_LINE_LIMIT = 500
#: How long a server may take to start where a check or a test waits for it: a busy machine takes minutes.
START_SECONDS = 300.0


class StackError(Exception):
    """A stack that cannot start or go on; the message tells the user what to do about it."""


@dataclass(frozen=True)
class Account:
    """A user of the system that a program runs as."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account for servers that refuse to run as root, or None when we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


@dataclass(frozen=True)
class Program:
    """A process to run: command, environment, log file and stop signal."""

    name: str
    argv: tuple[str, ...]
    log_file: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL


class Process:
    """A running program, known by process id and creation time so that a reused id is never taken for it."""

    def __init__(self, program: Program) -> None:
        """Start the program, in a session of its own so that Ctrl-C in a terminal reaches only the launcher."""
        self.program = program
        account = program.account
        leash = [
            *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(program.death_signal))),
            *((str(account.uid), str(account.gid)) if account else ("-", "-")),
        ]
        with open_log(program.log_file) as log:
            self._popen = subprocess.Popen(
                [*leash, *program.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(program.env),
                cwd=program.cwd,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        self.created = psutil.Process(self.pid).create_time()

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._popen.poll()

    def cpu_seconds(self) -> float:
        """Return the CPU time that it and what it has started, also what has ended, have used; 0 once it has ended."""
        used = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.pid)
            for each in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    # Its own time, and that of those of its children that have ended.
                    used += sum(each.cpu_times()[:4])
        return used

    def wait(self) -> int:
        """Block until the process has ended and return its exit code."""
        return self._popen.wait()

    def stop(self, grace_seconds: float) -> None:
        """Ask it to stop, and kill it with everything below it when it has not after the grace."""
        if self.exit_code() is None:
            self._popen.send_signal(self.program.stop_signal)
            try:
                self._popen.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill it and everything below it at once, as a crash would."""
        if self.exit_code() is None:
            kill_tree(psutil.Process(self.pid))
            self._popen.wait()


def kill_tree(root: psutil.Process) -> None:
    """Kill -9 a process and its descendants, the root first so that it starts no more; wait until none of them runs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [root, *root.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        give_up_at = time.monotonic() + 10
        while any(runs(member) for member in family) and time.monotonic() < give_up_at:
            time.sleep(0.01)


def runs(process: psutil.Process) -> bool:
    """Return whether the process still runs; a dead one that is not reaped yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[int]:
    """Open a log for appending, readable by its owner only; one that has grown large is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_KEEP_BYTES:
            path.rename(path.with_suffix(".log.old"))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def log_tail(path: Path) -> str:
    """Return the last lines of a log, for an error message."""
    try:
        last = path.read_text(errors="replace").splitlines()[-15:]
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(line if len(line) <= LOG_LINE_LIMIT else f"{line[:LOG_LINE_LIMIT]} …" for line in last)
