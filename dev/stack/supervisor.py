"""The stack as a library: start it, kill a part of it, wait until the part is back, stop it.

Each part is tended by one task: started, watched until it is ready, started again when it dies with a pause that
grows, and given up with the end of its log after `MAX_DEATHS` deaths within `DEATH_WINDOW_SECONDS`. Processes are
started from the thread of the event loop, whose end is what their leash watches.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from dev.stack.claim import Claim, Ports, check_owner
from dev.stack.migrate import migrate
from dev.stack.parts import PostgresPart, ServerPart, StackPart, TemporalPart, WorkerPart, drop_cut_off_bytecode
from dev.stack.postgres import Postgres, backup_folder
from dev.stack.process import Process, StackError, log_tail
from dev.stack.sandboxes import SANDBOXES, Sandboxes
from dev.stack.seed import Seed, write_private
from dev.stack.temporal import NAMESPACE, Temporal, free_port
from dev.stack.ui_door import UiDoor, hidden_address

#: In the order of starting. The servers that the product talks to come up together, while the database is migrated.
STAGES = (("postgres", "temporal", *SANDBOXES), ("worker", "server"))
PARTS = tuple(part for stage in STAGES for part in stage)
DATABASE = "bursar"
SEED = "seed.json"
KEPT_KEYS = "keys.json"
#: Periods may be this short here, so that a deadline can be watched; a platform has higher floors.
SHORT = "PT10S"
FLOORS = tuple(
    f"BURSAR_MIN_{period}"
    for period in (
        *("FUND_WITHIN", "DELIVER_WITHIN", "REVIEW_PERIOD"),
        *("EVIDENCE_PERIOD", "DECISION_PERIOD", "DEFAULT_GRACE"),
    )
)
#: Webhooks may go to receivers on this machine; their secrets, and those of organizations, are sealed with what is no
#: secret here.
WEBHOOKS = {
    "BURSAR_ALLOW_INSECURE_WEBHOOKS": "true",
    "BURSAR_SECRET_KEYS": "dev:" + base64.b64encode(b"secrets of a developer, not one".ljust(32)[:32]).decode(),
    "BURSAR_WEBHOOK_KEYS": "dev:" + base64.b64encode(b"webhooks of a developer, not one".ljust(32)[:32]).decode(),
}
#: Who sells here, so that documents can be made.
SELLER = {
    "BURSAR_SELLER_NAME": "Bursar on this machine",
    "BURSAR_SELLER_LINE1": "1 Loopback Road",
    "BURSAR_SELLER_POSTCODE": "12700",
    "BURSAR_SELLER_CITY": "Localhost",
    "BURSAR_SELLER_COUNTRY": "DE",
    "BURSAR_SELLER_VAT_ID": "DE123456788",
}
#: A part that is not ready is killed after so long in which it has used less CPU time than this: it hangs.
READY_TIMEOUT_SECONDS = 60.0
PROGRESS_CPU_SECONDS = 0.5
POLL_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 8.0
MAX_DEATHS = 6
DEATH_WINDOW_SECONDS = 90.0

Say = Callable[[str], None]


def _silent(_line: str) -> None:
    """Say nothing."""


def delete_data(data_dir: Path) -> None:
    """Delete what the servers of a stack and its seed keep; raises StackError when a stack runs on the directory."""
    check_owner(data_dir)
    claim = Claim(data_dir)
    for path in (data_dir / name for name in STAGES[0]):
        if path.exists():
            shutil.rmtree(path)
    (data_dir / SEED).unlink(missing_ok=True)
    claim.release()


class Tended:
    """A part and the process that runs it now."""

    def __init__(self, part: StackPart) -> None:
        """Nothing runs yet."""
        self.part = part
        self.process: Process | None = None
        self.ready = asyncio.Event()
        self.starts = 0
        self.deaths: deque[float] = deque()
        self.killed_on_purpose = False
        self.task: asyncio.Task[None] | None = None


class Stack:
    """The embedded stack on one data directory.

    Attributes:
        data_dir: all of its state.
        ports: where its parts listen.
        postgres: the cluster; `postgres.url(role)` is a database URL.
        temporal: the Temporal server.
        sandboxes: the stand-ins for providers that run.
        seed: the keys and ids that the stack was seeded with.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: Ports | None = None,
        *,
        parts: Sequence[str] = PARTS,
        env: dict[str, str] | None = None,
        say: Say = _silent,
    ) -> None:
        """Describe a stack; nothing is started yet.

        Args:
            data_dir: where its state is and stays.
            ports: defaults to free ones.
            parts: which of `PARTS` to run, in the order of `PARTS`; sandboxes only where no real account is set up.
            env: further settings for the worker and the web process.
            say: takes a line for the user at each step.

        Raises:
            StackError: the data directory holds what another account's stack made.
        """
        self.data_dir = data_dir.absolute()
        check_owner(self.data_dir)
        self.ports = ports or Ports.free()
        self.say = say
        logs = self.data_dir / "logs"
        self._extra_env = env or {}
        self._keys = self._kept_keys()
        self.postgres = Postgres(self.data_dir / "postgres", logs / "postgres.log", backups=backup_folder())
        self.temporal = Temporal(
            self.ports.temporal,
            logs / "temporal.log",
            ui_port=free_port(),
            ui_address=hidden_address(),
            database=self.data_dir / "temporal" / "temporal.db",
            codec_endpoint=f"{self.api_url}/codec" if os.environ.get("BURSAR_ENCRYPTION_KEYS") else None,
        )
        assert self.temporal.ui_port is not None
        self._ui_door = UiDoor(self.ports.temporal_ui, self.temporal.ui_address, self.temporal.ui_port)
        surroundings = {**os.environ, **self._extra_env}
        self.sandboxes = Sandboxes(self.data_dir, self.ports, self.api_url, frozenset(parts), surroundings)
        known: dict[str, StackPart] = {
            "postgres": PostgresPart(self.postgres),
            "temporal": TemporalPart(self.temporal),
            "worker": WorkerPart(logs / "worker.log", self.environment(), self.temporal.address),
            "server": ServerPart(logs / "server.log", self.environment(), self.api_url),
            **self.sandboxes.parts,
        }
        self._tended = {name: Tended(known[name]) for name in PARTS if name in parts and name in known}
        self.seed = Seed(self.data_dir / SEED, self.api_url, self.environment())
        self._claim: Claim | None = None
        self._failure: StackError | None = None
        self._failed = asyncio.Event()

    @property
    def dev_file(self) -> Path:
        """Return the file that tells scripts where everything is; it exists while the stack is ready."""
        return self.data_dir / "dev.json"

    @property
    def api_url(self) -> str:
        """Return where the API answers."""
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def console_url(self) -> str:
        """Return where the web console answers."""
        return f"{self.api_url}/console"

    @property
    def temporal_ui_url(self) -> str:
        """Return where the Temporal UI answers."""
        return f"http://127.0.0.1:{self.ports.temporal_ui}"

    def environment(self) -> dict[str, str]:
        """Return the settings that tie the worker and the web process to this stack."""
        return {
            "BURSAR_DATABASE_URL": self.postgres.url("bursar_api", DATABASE),
            "BURSAR_PLATFORM_DATABASE_URL": self.postgres.url("bursar_platform", DATABASE),
            "BURSAR_TEMPORAL_ADDRESS": self.temporal.address,
            "BURSAR_TEMPORAL_NAMESPACE": NAMESPACE,
            "BURSAR_TEMPORAL_UI_URL": self.temporal_ui_url,
            "BURSAR_HOST": "127.0.0.1",
            "BURSAR_PORT": str(self.ports.api),
            "BURSAR_PRIVATE_PORT": "0",
            "BURSAR_EXPORTS": os.environ.get("BURSAR_EXPORTS") or str(self.data_dir / "exports"),
            "BURSAR_WORKER_METRICS_PORT": str(self.ports.worker_metrics),
            **{name: SHORT for name in FLOORS if not os.environ.get(name)},
            **({} if os.environ.get("BURSAR_SELLER_NAME") else SELLER),
            **{name: value for name, value in WEBHOOKS.items() if not os.environ.get(name)},
            "BURSAR_PUBLIC_URL": os.environ.get("BURSAR_PUBLIC_URL") or self.api_url,
            **{name: os.environ.get(name) or key for name, key in self._keys.items()},
            **self._console_seed(),
            **({"BURSAR_MAIL_BOUNCES": "bounce@bursar.example"} if "mail" in self.sandboxes.parts else {}),
            **self._extra_env,
            **self.sandboxes.settings,
        }

    def _kept_keys(self) -> dict[str, str]:
        """Return the keys that an earlier start made up, and make up the others.

        They relate organizations that pay with one card, count devices and addresses, and wrap the keys of secrets.
        """
        sealing = base64.b64encode(secrets.token_bytes(32)).decode()
        made = {name: secrets.token_hex(16) for name in ("BURSAR_TRAIT_KEY", "BURSAR_RISK_KEY")}
        made["BURSAR_SECRET_KEYS"] = f"stack:{sealing}"
        try:
            kept: dict[str, str] = json.loads((self.data_dir / KEPT_KEYS).read_text())
        except FileNotFoundError:
            return made
        return {**made, **kept}

    def _console_seed(self) -> dict[str, str]:
        """Return whose keys the console offers: none if it could be reached from elsewhere or money is real."""
        is_sandbox = {"stripe", "paypal", "chains"} <= self.sandboxes.parts.keys()
        if not is_sandbox or os.environ.get("BURSAR_PUBLIC_URL"):
            return {}
        return {"BURSAR_CONSOLE_SEED": str(self.data_dir / SEED)}

    def pid(self, part: str) -> int:
        """Return the process id of a part that runs."""
        process = self._tended[part].process
        if process is None:
            raise StackError(f"{part} does not run.")
        return process.pid

    async def start(self) -> None:
        """Start the stages in order, each when the one before is ready; raises StackError and stops all on failure."""
        self.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._claim = await asyncio.to_thread(Claim, self.data_dir)
        try:
            write_private(self.data_dir / KEPT_KEYS, self._keys)
            self.dev_file.unlink(missing_ok=True)
            self.ports.check_free()
            if "temporal" in self._tended:
                await self._ui_door.open()
            for stage in STAGES:
                here = [name for name in stage if name in self._tended]
                for name in here:
                    self._tended[name].task = asyncio.create_task(self._tend(self._tended[name]), name=f"tend {name}")
                for name in here:
                    await self.wait_ready(name)
                    if name == "postgres":
                        await self._migrate()
            if "server" in self._tended:
                await self._seed()
        except BaseException:
            await self.stop()
            raise

    async def wait_ready(self, part: str) -> None:
        """Wait until a part is ready; raises StackError when a part was given up."""
        ready = asyncio.create_task(self._tended[part].ready.wait())
        failed = asyncio.create_task(self._failed.wait())
        try:
            await asyncio.wait({ready, failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            failed.cancel()
        if self._failure:
            raise self._failure

    async def wait_failed(self) -> StackError:
        """Wait until a part is given up and return why; for ever while all goes well."""
        await self._failed.wait()
        assert self._failure
        return self._failure

    async def kill(self, part: str) -> None:
        """Kill -9 a part with everything below it, as a crash would; it is started again at once."""
        tended = self._tended[part]
        if tended.process is None:
            raise StackError(f"{part} does not run.")
        tended.killed_on_purpose = True
        tended.ready.clear()
        await asyncio.to_thread(tended.process.kill)

    async def stop(self) -> None:
        """Stop every part, the last started first: gracefully, then by force. Stopping twice does no harm."""
        if self._claim:
            self._claim.announce_stop()
        tasks = [tended.task for tended in self._tended.values() if tended.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for tended in reversed(self._tended.values()):
            if tended.process:
                await asyncio.to_thread(tended.process.stop, tended.part.grace_seconds)
                tended.process = None
        await self._ui_door.close()
        if self._claim:
            self.dev_file.unlink(missing_ok=True)
            self._claim.release()
            self._claim = None

    def kill_all(self) -> None:
        """Kill every part at once, for a user who does not want to wait."""
        for tended in reversed(self._tended.values()):
            if tended.process:
                tended.process.kill()

    async def _migrate(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self.postgres.ensure_database, DATABASE)
        await asyncio.to_thread(migrate, self.postgres.url(database=DATABASE))
        self.say(f"database  ready after {time.monotonic() - began:.1f} s")

    async def _seed(self) -> None:
        began = time.monotonic()
        await self.seed.ensure()
        write_private(
            self.dev_file,
            {
                "api_url": self.api_url,
                "console_url": self.console_url,
                "temporal_ui_url": self.temporal_ui_url,
                "temporal_address": self.temporal.address,
                "temporal_namespace": NAMESPACE,
                "worker_metrics_url": f"http://127.0.0.1:{self.ports.worker_metrics}/metrics",
                "database_url": self.postgres.url(database=DATABASE),
                "tenant_database_url": self.postgres.url("bursar_api", DATABASE),
                "platform_database_url": self.postgres.url("bursar_platform", DATABASE),
                **self.sandboxes.dev,
                "settings": self.environment(),
                "pid": os.getpid(),
                "keys": self.seed.keys,
                "ids": self.seed.ids,
            },
        )
        self.say(f"seed      ready after {time.monotonic() - began:.1f} s")

    async def _tend(self, tended: Tended) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                await asyncio.to_thread(tended.part.prepare)
                process = Process(tended.part.program())
            except (StackError, OSError) as error:
                self._give_up(StackError(f"{tended.part.name} cannot be started: {error}"))
                return
            tended.killed_on_purpose = False
            tended.process = process
            tended.starts += 1
            assert self._claim
            self._claim.record(process)
            reason = await self._watch(tended, process)
            if tended.killed_on_purpose:
                continue
            now = time.monotonic()
            if now - began > DEATH_WINDOW_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            tended.deaths.append(now)
            while tended.deaths[0] < now - DEATH_WINDOW_SECONDS:
                tended.deaths.popleft()
            if len(tended.deaths) >= MAX_DEATHS:
                self._give_up(_hopeless(tended, reason))
                return
            if dropped := await asyncio.to_thread(drop_cut_off_bytecode, self.data_dir):
                self.say(
                    f"{tended.part.name:<9} removed {dropped} files of bytecode that were cut off; was the disk full?"
                )
            self.say(f"{tended.part.name:<9} {reason}; starting it again in {pause:.2g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _watch(self, tended: Tended, process: Process) -> str:
        """Set the part's event once the process is ready; return how the process ended."""
        exited = asyncio.ensure_future(_exit_of(process))
        began = seen_at = time.monotonic()
        seen = 0.0
        try:
            while not exited.done() and (problem := await tended.part.problem(process)):
                if (now := time.monotonic()) - seen_at > READY_TIMEOUT_SECONDS:
                    # On a slow machine imports take minutes.
                    if (used := await asyncio.to_thread(process.cpu_seconds)) - seen < PROGRESS_CPU_SECONDS:
                        await asyncio.to_thread(process.kill)
                        return f"made no progress for {READY_TIMEOUT_SECONDS:g} s ({problem})"
                    seen_at, seen = now, used
                    self.say(f"{tended.part.name:<9} is still starting after {now - began:.0f} s ({problem})")
                await asyncio.wait({exited}, timeout=POLL_SECONDS)
            if not exited.done() and not tended.killed_on_purpose:
                tended.ready.set()
                again = " again" if tended.starts > 1 else ""
                self.say(f"{tended.part.name:<9} ready{again} after {time.monotonic() - began:.1f} s")
            return f"ended with exit code {await exited}"
        finally:
            exited.cancel()
            tended.ready.clear()

    def _give_up(self, error: StackError) -> None:
        self._failure = self._failure or error
        self._failed.set()


async def _exit_of(process: Process) -> int:
    """Wait for a process without blocking the loop; a thread of its own, so that many parts cannot fill a pool."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def settle(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def wait() -> None:
        code = process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: no answer is needed
            loop.call_soon_threadsafe(settle, code)

    threading.Thread(target=wait, name=f"wait for {process.program.name}", daemon=True).start()
    return await ended


def _hopeless(tended: Tended, reason: str) -> StackError:
    path = tended.part.program().log_file
    return StackError(
        f"{tended.part.name} {reason}, the {len(tended.deaths)}th time within {DEATH_WINDOW_SECONDS:.0f} s: giving up. "
        f"The end of {path}:\n{log_tail(path)}"
    )
