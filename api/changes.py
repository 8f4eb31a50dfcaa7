"""Streams of changes: one look a second at the books for everybody who follows, and what it says to each.

However many streams a process has, it asks PostgreSQL one statement a second, and none while there is no stream. No
transaction waits for a stream, and a stream holds no connection to the database: between two looks it is a set of
topics and an event to wait for. A stream that is read slowly collects topics, each once.

Every look asks about keys and sessions as well, so that a stream ends within a second of its own in every process,
whether or not it hears announcements.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.pool import StatementPool
from api.recurring import Recurring
from domain.common.access import Actor
from domain.common.errors import TooManyStreams
from domain.messages.changes import BALANCE, topics_of
from repositories.messages import change as changes
from repositories.messages.change import ChangeRound, Marks

log = structlog.get_logger("bursar.api")

EVERY_SECONDS = 1.0
#: After how much silence a stream says that it is still there, and how long it is kept open.
QUIET_SECONDS = 15.0
LIFE_SECONDS = 15 * 60.0
#: The part of all streams that one organization, or one key of the platform, can have: no one of them takes them all.
SHARE = 4
#: After how many milliseconds a client comes again; at random, because a process that ends ends all streams at once.
RECONNECT_MS = (1_000, 4_000)
RETRY_AFTER = 15


class Listener:
    """One stream: whose changes it follows, and what it has not said yet."""

    def __init__(
        self, key_id: str | None, org_id: str | None, topics: frozenset[str], *, session_id: str | None = None
    ) -> None:
        """Take the key and session that it ends with, whose changes it follows (None for all), and what it may say."""
        self.key_id = key_id
        self.session_id = session_id
        self.org_id = org_id
        self._topics = topics
        self._unsaid: set[str] = set()
        self._woken = asyncio.Event()
        self._credits_version: int | None = None
        self.ended = False

    def begin(self, marks: Marks) -> dict[str, int]:
        self._credits_version = marks.credits_version
        return {topic: mark for topic, mark in marks.marks.items() if topic in self._topics}

    def send(self, topics: set[str]) -> None:
        self._unsaid |= topics & self._topics
        if self._unsaid:
            self._woken.set()

    def send_all(self) -> None:
        self.send(set(self._topics))

    def send_version(self, credits_version: int) -> None:
        if self._credits_version is not None and credits_version > self._credits_version:
            self._credits_version = credits_version
            self.send({BALANCE})

    def end(self) -> None:
        self.ended = True
        self._woken.set()

    async def news(self, seconds: float) -> list[str]:
        """Wait for changes; none came in time, or the stream has ended, when there are none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
        unsaid, self._unsaid = self._unsaid, set()
        return [] if self.ended else sorted(unsaid)


class Changes(Recurring):
    """Every stream of a process; `start` begins to look, `close` ends all of them."""

    def __init__(self, pool: StatementPool, *, limit: int) -> None:
        """Take what is looked through, as the platform, and how many streams there can be."""
        self._pool = pool
        self._limit = limit
        self._listeners: set[Listener] = set()
        self._shares: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._looking = asyncio.Lock()
        self._before: str | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def end_streams(self) -> None:
        self._closed = True
        for listener in self._listeners:
            listener.end()

    async def close(self) -> None:
        """End every stream, and stop looking."""
        self.end_streams()
        await super().close()

    @contextmanager
    def listening(self, actor: Actor, org_id: str | None, topics: frozenset[str]) -> Iterator[Listener]:
        """Count a stream in for as long as the block lasts.

        Raises:
            TooManyStreams: the process has as many as it takes, or the caller has its share of them.
        """
        holder = actor.org_id or actor.key_id or actor.principal
        share = max(1, self._limit // SHARE)
        busy = {"retry_after": RETRY_AFTER}
        if self._closed or len(self._listeners) >= self._limit:
            raise TooManyStreams(f"No more than {self._limit} streams are open at once.", extra=busy)
        if self._shares.get(holder, 0) >= share:
            raise TooManyStreams(f"No more than {share} streams of one organization are open at once.", extra=busy)
        listener = Listener(actor.key_id, org_id, topics, session_id=actor.session_id)
        self._listeners.add(listener)
        self._shares[holder] = self._shares.get(holder, 0) + 1
        self._wanted.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            self._shares[holder] -= 1
            if not self._shares[holder]:
                del self._shares[holder]
            if not self._listeners:
                # Changes without a listener do not matter; the next listener begins with its own marks.
                self._wanted.clear()
                self._before = None

    async def ready(self) -> None:
        """Wait for the first poll: listeners get every change that is committed from then on."""
        if self._before is None:
            await self.look()

    async def look(self) -> None:
        """Look once, and say to each listener what is news to it."""
        async with self._looking:
            listeners = list(self._listeners)
            org_ids = {listener.org_id for listener in listeners if listener.org_id is not None}
            found = await self._pool.read(
                lambda pool: changes.find_changes(
                    pool,
                    self._before,
                    org_ids=org_ids,
                    of_all=any(listener.org_id is None for listener in listeners),
                    key_ids={listener.key_id for listener in listeners if listener.key_id is not None},
                    session_ids={listener.session_id for listener in listeners if listener.session_id is not None},
                )
            )
            self._before = found.snapshot if self._listeners else None
            _send(listeners, found)

    async def _forever(self) -> None:
        clock = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            began = clock.time()
            try:
                await self.look()
            except Exception as exc:
                # The next look finds what this one would have.
                log.warning("changes.not_seen", error=f"{type(exc).__name__}: {exc}"[:300])
            await asyncio.sleep(max(EVERY_SECONDS / 10, began + EVERY_SECONDS - clock.time()))


def _send(listeners: list[Listener], found: ChangeRound) -> None:
    all_kinds = {kind for kinds in (found.news or {}).values() for kind in kinds}
    for listener in listeners:
        if listener.key_id in found.ended or listener.session_id in found.ended:
            listener.end()
        elif found.news is None:
            listener.send_all()
        else:
            kinds = all_kinds if listener.org_id is None else found.news.get(listener.org_id, ())
            listener.send(topics_of(kinds))
            listener.send_version(found.versions.get(listener.org_id or "", 0))


async def lines_of(
    listener: Listener, marks: Mapping[str, int], *, quiet: float = QUIET_SECONDS, life: float = LIFE_SECONDS
) -> AsyncIterator[bytes]:
    """Write a stream: the marks to begin with, each change, and a comment after every silence.

    Args:
        listener: what is followed.
        marks: what its reader may know of the marks.
        quiet: seconds of silence that are kept.
        life: seconds after which the stream ends, and its reader comes again.
    """
    clock = asyncio.get_running_loop()
    until = clock.time() + life
    yield format_sse_event(event="marks", data_str=json.dumps(marks), retry=random.randint(*RECONNECT_MS))
    while not listener.ended and (left := until - clock.time()) > 0:
        topics = await listener.news(min(quiet, left))
        for topic in topics:
            yield format_sse_event(event="changed", data_str=json.dumps({"topic": topic}))
        if not topics and not listener.ended:
            yield KEEPALIVE_COMMENT
