"""The servers that one test run shares: started when a test first asks, by the process that outlives all tests.

With xdist the tests run in worker processes that end at different times, so none of them may own a server. The
controller (or, without xdist, the only process) listens on a unix socket, starts what is asked for and answers with
where it is. The servers are on a leash held by that process: they end with it, however it ends.
"""

import json
import os
import shutil
import socket
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import psutil

from dev.stack.claim import Ports, variable
from dev.stack.migrate import ROOT, migrate
from dev.stack.postgres import Postgres, wait_until_ready
from dev.stack.process import START_SECONDS, Process, Program, StackError, log_tail
from dev.stack.temporal import Temporal, free_port, start_temporal

ADDRESS_VARIABLE = "BURSAR_TEST_SERVERS"
TEMPLATE_DATABASE = "bursar_template"
FAST_SETTINGS = {
    **{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"},
    # What it reads would count as read by a test, and what it has cleaned or counted would depend on the time.
    "autovacuum": "off",
}
PREFIX = "bursar-tests-"
#: The log of a cluster alone may grow to one gigabyte.
ROOM_BYTES = 6 * 2**30


class TestServers:
    """Owns the servers of one run. `start` in the process that outlives the tests, `stop` at its end."""

    __test__ = False

    def __init__(self, bytecode: Path) -> None:
        """Start to listen; Python programs of the stack keep their bytecode in the folder."""
        remove_abandoned()
        self._bytecode = bytecode
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=home()))
        self.directory.chmod(0o711)  # the account of PostgreSQL passes through
        # Each client of httpx2 would read the machine's roots, which takes 20 ms; here all addresses are plain HTTP.
        os.environ.pop("SSL_CERT_FILE", None)
        os.environ["SSL_CERT_DIR"] = str(self.directory)
        #: What descendants of the servers have taken that are not there any more.
        self.cpu_seconds = 0.0
        self._processes: dict[str, Process] = {}
        self._answers: dict[str, dict[str, str]] = {}
        self._starters: dict[str, Callable[[], dict[str, str]]] = {
            "postgres": self._start_postgres,
            "temporal": self._start_temporal,
            "stack": lambda: self._start_stack("stack"),
            "console": lambda: self._start_stack("console"),
            "demo": lambda: self._start_stack("demo"),
        }
        # Each server has a thread of its own, which starts it and stays: the leash ends with the thread that holds it.
        self._threads = {name: ThreadPoolExecutor(1, f"test-{name}") for name in self._starters}
        address = str(self.directory / "s")
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(json.dumps(owner.answer(self.rfile.readline().decode().strip())).encode())

        self._server = socketserver.ThreadingUnixStreamServer(address, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="test-servers", daemon=True)
        self._thread.start()
        os.environ[ADDRESS_VARIABLE] = address

    def answer(self, name: str) -> dict[str, str]:
        """Start the named server unless it runs, and return where it is, or why it could not start."""
        return self._threads[name].submit(self._answer, name).result()

    def _answer(self, name: str) -> dict[str, str]:
        if name not in self._answers:
            try:
                self._answers[name] = self._starters[name]()
            except Exception as error:  # the asking test reports it, and the next one to ask has it started again
                self.end(name)
                return {"error": f"{type(error).__name__}: {error}"}
        return self._answers[name]

    def end(self, name: str) -> None:
        """End the named server; who asks for it again gets a new one."""
        self._answers.pop(name, None)
        if process := self._processes.pop(name, None):
            with suppress(psutil.NoSuchProcess):
                below = psutil.Process(process.pid).children(recursive=True)
                self.cpu_seconds += sum(sum(each.cpu_times()[:4]) for each in below)
            process.kill()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for name in list(self._processes):
            self.end(name)
        for thread in self._threads.values():
            thread.shutdown(wait=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_postgres(self) -> dict[str, str]:
        postgres = Postgres(self.directory / "pg", self.directory / "postgres.log", FAST_SETTINGS)
        postgres.prepare()
        process = Process(postgres.program())
        self._processes["postgres"] = process
        wait_until_ready(postgres, process)
        postgres.ensure_database(TEMPLATE_DATABASE)
        migrate(postgres.url(database=TEMPLATE_DATABASE))
        return {"data_dir": str(postgres.data_dir)}

    def _start_temporal(self) -> dict[str, str]:
        temporal = Temporal(free_port(), self.directory / "temporal.log")
        self._processes["temporal"] = start_temporal(temporal)
        return {"address": temporal.address}

    def _start_stack(self, name: str) -> dict[str, str]:
        """The whole product as `make run` starts it, on ports of its own; its dev.json appears when it is ready."""
        data_dir = self.directory / name
        (data_dir / "dev.json").unlink(missing_ok=True)  # of one that was ended
        settings = {
            "BURSAR_DATA_DIR": str(data_dir),
            "BURSAR_RATE_LIMIT": "1000000/minute",
            "BURSAR_ORGANIZATION_RATE_LIMIT": "1000000/minute",
            # A busy machine takes longer than the defaults.
            "BURSAR_CONSOLE_READ_TIMEOUT": "PT60S",
            # The demo tells of decisions against fraud, which have no effect elsewhere.
            **({"BURSAR_RISK_ENFORCED": "true"} if name == "demo" else {}),
            **dict.fromkeys(("BURSAR_COMMAND_TIMEOUT", "BURSAR_DATABASE_TIMEOUT"), "PT50S"),
            **dict.fromkeys((variable(port.name) for port in fields(Ports)), "0"),
        }
        program = Program(
            name=name,
            argv=(sys.executable, "-m", "dev.stack", "run"),
            log_file=self.directory / f"{name}.log",
            env={**os.environ, **settings, "PYTHONPYCACHEPREFIX": str(self._bytecode)},
            cwd=ROOT,
        )
        process = Process(program)
        self._processes[name] = process
        give_up_at = time.monotonic() + START_SECONDS
        while not (data_dir / "dev.json").exists():
            if process.exit_code() is not None or time.monotonic() > give_up_at:
                raise StackError(f"the stack is not ready:\n{log_tail(program.log_file)}")
            time.sleep(0.1)
        return {"data_dir": str(data_dir)}


def ask(name: str) -> dict[str, Any]:
    """Return where the named server of this run is; the first to ask waits for its start."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as stream:
        connection.connect(os.environ[ADDRESS_VARIABLE])
        stream.write(f"{name}\n".encode())
        stream.flush()
        answer: dict[str, Any] = json.loads(stream.read())
    if "error" in answer:
        raise RuntimeError(f"the shared {name} server did not start: {answer['error']}")
    return answer


def home() -> Path:
    """Return where a run keeps its servers: in memory where that has room, because each database is 1,500 files."""
    memory = Path("/dev/shm")
    if memory.is_dir() and min(shutil.disk_usage(memory).free, psutil.virtual_memory().available) >= ROOM_BYTES:
        return memory
    return Path(tempfile.gettempdir())


@contextmanager
def reachable_directory(purpose: str) -> Iterator[Path]:
    """A directory that PostgreSQL's account can enter, also where other users run tests.

    None of pytest's: each run that begins closes those of all runs to other accounts, and a server that is under way
    can open no file of its own any more.
    """
    with tempfile.TemporaryDirectory(prefix=f"bursar-{purpose}-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def remove_abandoned() -> None:
    """Remove directories of runs that were killed before they could."""
    for path in home().glob(f"{PREFIX}*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
