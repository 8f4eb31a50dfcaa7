"""The parts of the stack: how each is prepared, run and known to be ready."""

import asyncio
import marshal
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx2
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.common.queues import TASK_QUEUE
from dev.stack.migrate import ROOT
from dev.stack.postgres import Postgres
from dev.stack.process import Process, Program
from dev.stack.temporal import NAMESPACE, Temporal

#: What stands before the bytecode in a file: magic number, flags, time and size of the source.
HEADER_BYTES = 16


class StackPart(Protocol):
    """A process of the stack."""

    name: str
    grace_seconds: float

    def prepare(self) -> None:
        """Make what the process needs on disk; called before each start."""

    def program(self) -> Program:
        """Return what to run."""

    async def problem(self, process: Process) -> str | None:
        """Return None once this process does its work, otherwise why not yet."""


class PostgresPart:
    """The embedded PostgreSQL."""

    name = "postgres"
    grace_seconds = 20.0

    def __init__(self, postgres: Postgres) -> None:
        """Take the cluster to run."""
        self.postgres = postgres

    def prepare(self) -> None:
        """Make the cluster the first time, and clear what a killed server left."""
        self.postgres.prepare()

    def program(self) -> Program:
        """Return the server's command line."""
        return self.postgres.program()

    async def problem(self, process: Process) -> str | None:  # noqa: ARG002
        """Ask with `pg_isready`."""
        return await asyncio.to_thread(self.postgres.problem)


class TemporalPart:
    """The embedded Temporal server."""

    name = "temporal"
    grace_seconds = 10.0

    def __init__(self, temporal: Temporal) -> None:
        """Take the server to run."""
        self.temporal = temporal

    def prepare(self) -> None:
        """Make the directory of the state file."""
        if self.temporal.database:
            self.temporal.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def program(self) -> Program:
        """Return the server's command line."""
        return self.temporal.program()

    async def problem(self, process: Process) -> str | None:  # noqa: ARG002
        """Ask the front end over gRPC."""
        return await self.temporal.problem()


def bytecode_folder(data_dir: Path) -> Path:
    """Return where Python programs of the stack keep bytecode: with the data, unless PYTHONPYCACHEPREFIX is set."""
    return Path(os.environ.get("PYTHONPYCACHEPREFIX") or data_dir / "pycache")


def python_environment(env: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    """Return the environment of a Python program of the stack: it writes at once, and keeps bytecode.

    Its Temporal is on this machine alone, so names are shown there unless the environment says otherwise.
    """
    # A workflow's sandbox imports its module for each run: without stored bytecode it would compile it each time.
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bytecode_folder(data_dir))}
    shown = {"BURSAR_NAMES_IN_TEMPORAL": env.get("BURSAR_NAMES_IN_TEMPORAL") or "true"}
    return {**env, **shown, "PYTHONUNBUFFERED": "1", **bytecode}


def drop_cut_off_bytecode(data_dir: Path) -> int:
    """Remove stored bytecode that cannot be read, and return how many files that were.

    Python puts a file in place also when a full disk took only its beginning, and every later import of it fails.
    """
    dropped = 0
    for path in bytecode_folder(data_dir).rglob("*.pyc"):
        try:
            marshal.loads(path.read_bytes()[HEADER_BYTES:])
        except (EOFError, ValueError, TypeError):
            path.unlink(missing_ok=True)
            dropped += 1
        except FileNotFoundError:
            continue
    return dropped


class RootScript:
    """A composition root of the product, `worker.py` or `server.py`, run by this Python."""

    def __init__(self, name: str, log_file: Path, env: Mapping[str, str], grace_seconds: float) -> None:
        """Name the script without its suffix, and the settings that it reads from its environment."""
        self.name = name
        self.grace_seconds = grace_seconds
        self._log_file = log_file
        self._env = python_environment({**os.environ, **env}, log_file.parent.parent)

    def prepare(self) -> None:
        """Need nothing."""

    def program(self) -> Program:
        """Return the command line, as the image runs it."""
        argv = (sys.executable, f"{self.name}.py")
        return Program(name=self.name, argv=argv, log_file=self._log_file, env=self._env, cwd=ROOT)


class WorkerPart(RootScript):
    """The worker; ready when this very process polls its task queue."""

    def __init__(self, log_file: Path, env: Mapping[str, str], temporal_address: str) -> None:
        """Take its settings and the server that it polls."""
        super().__init__("worker", log_file, env, grace_seconds=15.0)
        self._temporal_address = temporal_address

    async def problem(self, process: Process) -> str | None:
        """Ask Temporal who polls the task queue: those of a killed worker stay listed, so the process id counts."""
        try:
            client = await asyncio.wait_for(Client.connect(self._temporal_address, namespace=NAMESPACE), 5)
            answer = await client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=NAMESPACE,
                    task_queue=TaskQueue(name=TASK_QUEUE),
                    task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                )
            )
        except (RPCError, RuntimeError, TimeoutError) as error:
            return str(error) or type(error).__name__
        # The SDK names a client by process id and host. Time alone deceives: the server touches a killed worker's poll
        # once more when it notices that the connection is gone.
        if any(poller.identity.startswith(f"{process.pid}@") for poller in answer.pollers):
            return None
        return "nobody polls the task queue"


class ServerPart(RootScript):
    """The web process; ready when `/readyz` says so."""

    def __init__(self, log_file: Path, env: Mapping[str, str], url: str) -> None:
        """Take its settings and where it answers."""
        super().__init__("server", log_file, env, grace_seconds=10.0)
        self._url = url

    async def problem(self, process: Process) -> str | None:  # noqa: ARG002
        """Ask `/readyz`, which covers PostgreSQL and Temporal as the web process sees them."""
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
                answer = await client.get(f"{self._url}/readyz")
        except httpx2.HTTPError as error:
            return str(error) or type(error).__name__
        if answer.status_code == 200 and answer.json()["status"] == "ready":
            return None
        return f"/readyz answers {answer.status_code}: {answer.text[:300]}"
