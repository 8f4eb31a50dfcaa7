"""Lock of a data directory: one launcher at a time, which first ends the processes of an earlier one."""

import errno
import fcntl
import json
import logging
import os
import pwd
import socket
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psutil

from dev.stack.process import Process, StackError, kill_tree, unprivileged_account
from dev.stack.temporal import free_port

log = logging.getLogger(__name__)

STOPPING = "stopping"
STOP_PATIENCE_SECONDS = 60.0
CREATED_TOLERANCE_SECONDS = 2
"""The system derives creation times from the boot time, which moves a little when the clock is set."""


#: How many ports a stack takes from the API's on.
SPAN = 20


@dataclass(frozen=True)
class Ports:
    """The ports of the stack, all on 127.0.0.1. Each is named by the environment variable that changes it."""

    api: int = 8000
    temporal: int = 8011
    temporal_ui: int = 8013
    worker_metrics: int = 8001
    stripe_sandbox: int = 8002
    paypal_sandbox: int = 8003
    chains_sandbox: int = 8004
    litellm_sandbox: int = 8006
    mail_sandbox: int = 8007
    mail_sandbox_smtp: int = 8008
    vies_sandbox: int = 8009
    slack_sandbox: int = 8010
    search_sandbox: int = 8012

    @classmethod
    def from_environment(cls) -> "Ports":
        """Return the ports that the environment names; the rest follow the API's at their usual distance.

        So a second stack needs only another BURSAR_PORT. 0 takes any free port, and for the API's all that follow it.
        """
        follows = vars(cls.following(_port("BURSAR_PORT", cls.api)))
        return cls(**{name: _port(variable(name), port) for name, port in follows.items()}).settled()

    @classmethod
    def following(cls, api: int) -> "Ports":
        """Return the ports of a stack whose API listens on a port; two APIs `SPAN` apart or more share none."""
        return cls(**{name: api and api + port - cls.api for name, port in vars(cls()).items()})

    @classmethod
    def free(cls) -> "Ports":
        """Return unused ports."""
        return cls(**dict.fromkeys((field.name for field in fields(cls)), 0)).settled()

    def settled(self) -> "Ports":
        """Return the same with a free port for each that is 0, none of them twice."""
        ports: dict[str, int] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, given in ports.items():
            while not given and (not ports[name] or list(ports.values()).count(ports[name]) > 1):
                ports[name] = free_port()
        return Ports(**ports)

    def check_free(self) -> None:
        """Raise StackError if a port is taken, with the variable to change and, if known, the process that has it."""
        seen: dict[int, str] = {}
        for field in fields(self):
            name, port = variable(field.name), getattr(self, field.name)
            if port in seen:
                raise StackError(f"{name} and {seen[port]} are both {port}: give each a port of its own.")
            seen[port] = name
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                        raise
                    raise StackError(
                        f"Port {port} is taken{_listener(port)}: stop what uses it, or set {name} to another port "
                        f"({name}=0 takes any free one). The other ports follow BURSAR_PORT."
                    ) from error


def variable(part: str) -> str:
    """Return the environment variable of a port."""
    return "BURSAR_PORT" if part == "api" else f"BURSAR_{part.upper()}_PORT"


def _port(name: str, default: Any) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isdigit() or int(value) > 65535:
        raise StackError(f"{name}={value} is not a port: use a number from 0 to 65535.")
    return int(value)


def _listener(port: int) -> str:
    """Name the process that listens on a port, where the system tells us."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""


def check_owner(data_dir: Path) -> None:
    """Raise StackError, and touch nothing, when the directory holds what another account's stack made."""
    account = unprivileged_account()
    ours = {os.geteuid(), account.uid if account else os.geteuid()}
    try:
        made = [path for path in data_dir.iterdir() if path.lstat().st_uid not in ours]
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise StackError(f"{data_dir} cannot be read: choose another BURSAR_DATA_DIR.") from error
    if made:
        owner = _name(made[0].lstat().st_uid)
        raise StackError(
            f"{made[0]} belongs to {owner}, and this is {_name(os.geteuid())}: start the stack as the owner of its "
            "data, or choose another BURSAR_DATA_DIR. Nothing was changed."
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class Claim:
    """The claim on a data directory: held until `release`, and given up by the system when the launcher dies."""

    def __init__(self, data_dir: Path) -> None:
        """Take the claim and end what an earlier launcher left running; raises StackError when another one holds it."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self._record_file = data_dir / "processes.json"
        self._records: dict[str, dict[str, Any]] = {}
        self._lock = (data_dir / "lock").open("a+")
        self._take(data_dir)
        self._write_holder(str(os.getpid()))
        self._end_leftovers()

    def announce_stop(self) -> None:
        """Tell who wants the directory next that it is about to be free."""
        self._write_holder(STOPPING)

    def record(self, process: Process) -> None:
        """Remember a started process for the next launcher, should this one be killed."""
        self._records[process.program.name] = {"pid": process.pid, "created": process.created}
        unfinished = self._record_file.with_suffix(".new")
        unfinished.write_text(json.dumps(self._records))
        unfinished.replace(self._record_file)

    def release(self) -> None:
        """Give the directory back; every recorded process has ended."""
        self._record_file.unlink(missing_ok=True)
        self._lock.close()

    def _take(self, data_dir: Path) -> None:
        give_up_at = time.monotonic() + STOP_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._lock.seek(0)
                holder = self._lock.read().strip()
                if holder == STOPPING and time.monotonic() < give_up_at:
                    time.sleep(0.1)
                    continue
                self._lock.close()
                raise StackError(
                    f"A stack already runs on {data_dir} (process {holder}): use that one, stop it, or choose another "
                    "BURSAR_DATA_DIR."
                ) from error
            return

    def _write_holder(self, holder: str) -> None:
        self._lock.truncate(0)
        self._lock.write(f"{holder}\n")
        self._lock.flush()

    def _end_leftovers(self) -> None:
        try:
            records: dict[str, dict[str, Any]] = json.loads(self._record_file.read_text())
        except (FileNotFoundError, ValueError):
            return
        for name, record in reversed(records.items()):
            try:
                process = psutil.Process(record["pid"])
                if abs(process.create_time() - record["created"]) <= CREATED_TOLERANCE_SECONDS:
                    log.warning("Ending %s (process %s), which an earlier run left behind", name, process.pid)
                    kill_tree(process)
            except psutil.NoSuchProcess:
                continue
        self._record_file.unlink(missing_ok=True)
