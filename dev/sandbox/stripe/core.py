"""Registration, context and errors of the sandbox's operations.

    @operation("post", "/v1/customers")
    async def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]: ...

A request runs alone, in one transaction. What an operation returns is answered as it is stored, with ids in expandable
fields; `expand` is the frame's. What it raises is rolled back, but for a `Refusal` with `keep`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import string
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import stripe
from starlette.requests import Request
from starlette.responses import Response

from dev.sandbox.stripe import schemas
from dev.sandbox.stripe.conditions import Asking, Conditions, Fault
from dev.sandbox.stripe.errors import Refusal
from dev.sandbox.stripe.store import Store

__all__ = ["Context", "Refusal", "Sandbox", "Suspended", "control", "expansion", "operation", "page", "task"]

# What it answers, or `Suspended`.
Operation = Callable[..., Awaitable[Any]]
Registered = TypeVar("Registered", bound=Operation)
Task = Callable[..., Awaitable[None]]
Control = Callable[["Context", dict[str, Any]], Awaitable[dict[str, Any]]]
Page = Callable[[Request], Awaitable[Response]]
Expansion = Callable[["Context", dict[str, Any]], Any]

log = logging.getLogger(__name__)
OPERATIONS: dict[tuple[str, str], Operation] = {}
TASKS: dict[str, Task] = {}
CONTROLS: dict[str, Control] = {}
PAGES: dict[tuple[str, str], Page] = {}
EXPANSIONS: dict[tuple[str, str], Expansion] = {}
API_VERSION: str = stripe.api_version
#: What an endpoint hears of: events of the platform, of its connected accounts, or both.
HEARD_OF = ("platform", "accounts")
ALPHABET = string.ascii_letters + string.digits


def operation(method: str, path: str) -> Callable[[Registered], Registered]:
    """Registers what answers a method and a path such as `/v1/customers/{customer}`.

    The function is called with the context, the parsed and validated parameters, and the path's parts by name.
    """

    def register(function: Registered) -> Registered:
        OPERATIONS[method.lower(), path] = function
        return function

    return register


def task(name: str) -> Callable[[Task], Task]:
    """Registers what runs when a task of this name comes due: `async def (ctx, **args)`."""

    def register(function: Task) -> Task:
        TASKS[name] = function
        return function

    return register


def control(path: str) -> Callable[[Control], Control]:
    """Registers `POST /_control/{path}`: `async def (ctx, body) -> answer`, in one transaction."""

    def register(function: Control) -> Control:
        CONTROLS[path] = function
        return function

    return register


def page(method: str, path: str) -> Callable[[Page], Page]:
    """Registers a page for people; it opens its own transaction with `request.app.state.sandbox.transaction()`."""

    def register(function: Page) -> Page:
        PAGES[method.upper(), path] = function
        return function

    return register


def expansion(kind: str, name: str) -> Callable[[Expansion], Expansion]:
    """Registers what a field becomes when it is expanded that is not an id in the store: `def (ctx, obj) -> value`."""

    def register(function: Expansion) -> Expansion:
        EXPANSIONS[kind, name] = function
        return function

    return register


def random_text(length: int) -> str:
    """Return `length` random letters and digits."""
    # Slightly biased, which does not matter here, and quicker than choosing one by one.
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(length))


@dataclass
class Suspended:
    """Result of an operation that must call an external endpoint before it answers.

    Attributes:
        wait: Asks, while nothing is locked; what was done until then is committed.
        then: Goes on with what `wait` has returned, in a transaction of its own, and returns the answer.
    """

    wait: Callable[[], Awaitable[Any]]
    then: Callable[[Context, Any], Awaitable[dict[str, Any]]]


@dataclass
class Context:
    """Transaction of an operation, with the services that it may use.

    Attributes:
        sandbox: The running sandbox.
        request_id: `req_…` of the request, empty for what happens by itself.
        idempotency_key: The request's key, if it has one.
        publishable: Whether the request came with a publishable key.
        account: The connected account that the request acts for, empty for the platform.
        events: The accounts and ids of the events of this transaction.
        put_off: Whether it has put something off.
        silent: Whether changes are being undone, so that no event is emitted.
    """

    sandbox: Sandbox
    request_id: str = ""
    idempotency_key: str | None = None
    publishable: bool = False
    account: str = ""
    events: list[tuple[str, str]] = field(default_factory=list)
    put_off: bool = False
    silent: bool = False
    livemode: bool = False

    @property
    def store(self) -> Store:
        """The objects, inside this transaction."""
        return self.sandbox.store

    @property
    def base_url(self) -> str:
        """Base URL of this sandbox, without a trailing slash."""
        return self.sandbox.base_url

    def now(self) -> int:
        """Returns the sandbox's own time in Unix seconds; it can be moved forward."""
        return self.sandbox.now()

    def new_id(self, prefix: str) -> str:
        """Returns a new id such as `pi_` and 24 letters and digits."""
        return f"{prefix}_{random_text(24)}"

    def emit(self, type: str, obj: dict[str, Any], previous: dict[str, Any] | None = None) -> None:
        """Records an event about an object as it is now and queues it for every endpoint that wants it.

        Args:
            type: Stripe's name of what has happened, such as `charge.succeeded`.
            obj: The object.
            previous: For `*.updated`, the former values of what has changed.
        """
        if self.silent:
            return
        account = self.store.account
        with self.store.within(""):
            endpoints = [
                endpoint
                for endpoint in self.store.query("webhook_endpoint", status="enabled")
                if {"*", type} & set(endpoint["enabled_events"])
                and (self.store.setting(f"hears/{endpoint['id']}") or "platform") in (HEARD_OF[account != ""], "both")
            ]
        event = self.record(type, obj, previous, receivers=len(endpoints))
        for endpoint in reversed(endpoints):
            self.queue(event["id"], endpoint["id"])

    def record(
        self, type: str, obj: dict[str, Any], previous: dict[str, Any] | None = None, *, receivers: int = 1
    ) -> dict[str, Any]:
        """Stores an event about an object as it is now and returns it; nothing is sent."""
        data: dict[str, Any] = {"object": obj}
        if previous is not None:
            data["previous_attributes"] = previous
        event: dict[str, Any] = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": receivers,
            "request": {"id": self.request_id or None, "idempotency_key": self.idempotency_key},
            "type": type,
        }
        if self.store.account:
            event["account"] = self.store.account
        self.store.put(event)
        self.events.append((self.store.account, event["id"]))
        return event

    def queue(self, event: str, endpoint: str) -> None:
        """Queues an event for an endpoint, under the conditions that webhooks have now."""
        now, departures = time.time_ns() // 1_000_000, self.sandbox.weather.departures()
        rows = [(event, endpoint, now + each, "waiting") for each in departures] or [(event, endpoint, now, "dropped")]
        self.store.sql.executemany("INSERT INTO deliveries (event, endpoint, due_ms, state) VALUES (?, ?, ?, ?)", rows)

    def after(self, seconds: int, name: str, args: dict[str, Any]) -> None:
        """Run a registered task after some seconds of the sandbox's clock, also after a restart."""
        self.at(self.now() + seconds, name, args)

    def at(self, due_at: int, name: str, args: dict[str, Any], *, clock: str = "") -> None:
        """Run a registered task at a time of the sandbox's clock, or of a test clock."""
        self.put_off = True
        self.store.sql.execute(
            "INSERT INTO tasks (due_at, name, args, account, clock) VALUES (?, ?, ?, ?, ?)",
            (due_at, name, json.dumps(args), self.store.account, clock),
        )

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Undoes all changes of the block, also when it raises; no event is emitted."""
        self.silent = True
        self.store.sql.execute("SAVEPOINT undone")
        try:
            yield
        finally:
            self.store.sql.execute("ROLLBACK TO undone")
            self.store.sql.execute("RELEASE undone")
            self.silent = False


class Sandbox:
    """A running sandbox: its store, its clock and its one transaction at a time.

    Args:
        store: Where everything is kept.
        check_answers: Whether an own answer or event that Stripe could not have made is refused, as tests want it.
    """

    def __init__(self, store: Store, *, check_answers: bool = False) -> None:
        self.store = store
        self.check_answers = check_answers
        self.base_url = ""
        self.lock = asyncio.Lock()
        self.offset: int = store.setting("clock_offset") or 0
        self.weather = Conditions()
        self.asking = Asking()
        self.faults: list[Fault] = []
        self.on_reset: list[Callable[[Context], None]] = []
        self.emitted = asyncio.Event()
        self.scheduled = asyncio.Event()

    def now(self) -> int:
        """Returns the sandbox's time in Unix seconds."""
        return int(time.time()) + self.offset

    @contextlib.asynccontextmanager
    async def transaction(self, **request: Any) -> AsyncIterator[Context]:
        """Runs what is inside alone and commits it; an exception undoes it, but for a `Refusal` with `keep`."""
        context = Context(self, **request)
        kept: Refusal | None = None
        async with self.lock:
            with self.store.transaction(), self.store.within(context.account):
                try:
                    yield context
                except Refusal as refusal:
                    if not refusal.keep:
                        raise
                    kept = refusal
                if self.check_answers:
                    for account, id in context.events:
                        with self.store.within(account):
                            schemas.validate_event(self.store.get("event", id) or {})
        if context.events:
            self.emitted.set()
        if context.put_off:
            self.scheduled.set()
        if kept is not None:
            raise kept

    async def run_due(self, until: int) -> int:
        """Runs every task that is due until a time, each in a transaction of its own, and returns how many ran."""
        ran = 0
        while True:
            async with self.transaction() as context:
                row = self.store.sql.execute(
                    "SELECT seq, name, args, due_at, account FROM tasks WHERE clock = '' AND due_at <= ?"
                    " ORDER BY due_at, seq LIMIT 1",
                    (until,),
                ).fetchone()
                if row is None:
                    return ran
                seq, name, args, due_at, account = row
                self.offset += max(0, due_at - self.now())
                self.store.keep("clock_offset", self.offset)
                self.store.sql.execute("DELETE FROM tasks WHERE seq = ?", (seq,))
                with self.store.within(account):
                    await TASKS[name](context, **json.loads(args))
                ran += 1

    async def advance(self, seconds: int) -> int:
        """Moves the clock on, running what comes due on the way at its own time, and returns how many tasks ran."""
        until = self.now() + seconds
        ran = await self.run_due(until)
        async with self.transaction():
            self.offset += max(0, until - self.now())
            self.store.keep("clock_offset", self.offset)
        return ran

    async def keep_time(self) -> None:
        """Runs what comes due by itself, until it is cancelled; what fails is logged and tried a minute later."""
        while True:
            self.scheduled.clear()
            try:
                await self.run_due(self.now())
            except Exception:
                log.exception("a task of the sandbox failed")
                async with self.transaction():
                    self.store.sql.execute(
                        "UPDATE tasks SET due_at = ? WHERE clock = '' AND due_at <= ?", (self.now() + 60, self.now())
                    )
            async with self.lock:
                (due_at,) = self.store.sql.execute("SELECT min(due_at) FROM tasks WHERE clock = ''").fetchone()
            wait = None if due_at is None else max(0, due_at - self.now())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.scheduled.wait(), wait)
