"""Webhooks that the worker sends, against a bare HTTP client; and how long one takes from its event's commit.

The receiver is in this process, and the sender in another one. Rates are taken at the receiver, from the first webhook
to the last, so the wait for the dispatcher is in the second row alone.
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import asyncpg

from activities.messages.webhook_endpoint import AT_ONCE
from dev.bench.client import Connection
from dev.bench.rows import BenchRow, alternate
from dev.bench.uses import tenants
from dev.bench.world import World
from dev.stack.receiver import listening
from runtime.identity import new_id

ENDPOINTS, BYTES = 10, 1_024
EVENTS = int(os.environ.get("BENCH_EVENTS", "400"))
#: How many events each subject has, in their order.
OF_A_SUBJECT = 4
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "4"))
ALONE = int(os.environ.get("BENCH_ALONE", "20"))
TYPE = "score.changed"
PATIENCE = 120
NUMBERS = count(1)
_INSERT = """
    INSERT INTO events (type, org_id, subject, subject_seq, at, data)
    SELECT $1, $2, s, n, now(), jsonb_build_object('padding', repeat('x', $4))
    FROM unnest($3::text[]) s, generate_series(1, $5) n
"""


class Receiver:
    """Counts what comes, and notes when."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self.times: list[float] = []
        self.size = 0
        self._wanted = 0
        self._all = asyncio.Event()

    async def take(self, _path: str, _headers: Mapping[str, str], body: bytes) -> int:
        """Take a webhook."""
        self.times.append(time.perf_counter())
        self.size = len(body)
        if len(self.times) == self._wanted:
            self._all.set()
        return 204

    def expect(self, number: int) -> None:
        """Begin to count."""
        self.times, self._wanted = [], number
        self._all.clear()

    async def complete(self) -> None:
        """Wait for all that is expected."""
        async with asyncio.timeout(PATIENCE):
            await self._all.wait()

    async def rate(self) -> float:
        """Wait for all that is expected, and return how many came in a second."""
        await self.complete()
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])


class Tenant:
    """An organization with endpoints."""

    def __init__(self, world: World, connection: asyncpg.Connection) -> None:
        """Take where it lives; `open` makes it."""
        self._world, self._connection = world, connection
        self._org_id = ""

    async def open(self, url: str, endpoints: int) -> "Tenant":
        """Make it."""
        [key] = await tenants(self._world, 1, f"webhooks {next(NUMBERS)}")
        http = Connection("127.0.0.1", self._world.port)
        for number in range(endpoints):
            wanted: dict[str, object] = {"url": f"{url}/{number}", "types": [TYPE]}
            made = await http.post("/api/v1/webhook-endpoints", key, f"bench-webhooks-{next(NUMBERS)}", wanted)
            self._org_id = made["organization_id"]
        http.close()
        return self

    async def happens(self, subjects: int, each: int, padding: int) -> None:
        """Commit events."""
        ids = [new_id("agt") for _ in range(subjects)]
        await self._connection.execute(_INSERT, TYPE, self._org_id, ids, padding, each)


async def _bare(receiver: Receiver, url: str) -> float:
    receiver.expect(EVENTS * ENDPOINTS)
    host, _, port = url.removeprefix("http://").partition(":")
    given: tuple[Any, ...] = (host, port, AT_ONCE * ENDPOINTS, EVENTS * ENDPOINTS, BYTES)
    command = [sys.executable, "-m", "dev.bench.webhook_load", *map(str, given)]
    process = await asyncio.create_subprocess_exec(*command)
    rate = await receiver.rate()
    if await process.wait():
        raise RuntimeError("the load generator failed")
    return rate


async def run(world: World) -> list[BenchRow]:
    """Measure both rows."""
    receiver, rng = Receiver(), random.Random("webhooks")
    async with AsyncExitStack() as held:
        url = await held.enter_async_context(listening(receiver.take))
        connection = await asyncpg.connect(world.database_url)
        held.push_async_callback(connection.close)
        one = await Tenant(world, connection).open(url, 1)
        receiver.expect(1)
        await one.happens(1, 1, 0)
        await receiver.complete()
        padding = BYTES - receiver.size

        taken = []
        for _ in range(ALONE):
            # The dispatcher looks once a second: events come at any time in between.
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            receiver.expect(1)
            await one.happens(1, 1, padding)
            committed = time.perf_counter()
            await receiver.complete()
            taken.append(receiver.times[0] - committed)

        ten = await Tenant(world, connection).open(url, ENDPOINTS)

        async def ours() -> float:
            receiver.expect(EVENTS * ENDPOINTS)
            await ten.happens(EVENTS // OF_A_SUBJECT, OF_A_SUBJECT, padding)
            return await receiver.rate()

        await ours()
        sent, bare = await alternate(ours, lambda: _bare(receiver, url), ROUNDS)
    return [
        BenchRow(
            name=f"webhooks of {BYTES:,} bytes to {ENDPOINTS} endpoints, one worker",
            value=sent,
            unit="/s",
            against=f"a bare HTTP client, {AT_ONCE * ENDPOINTS} connections",
            baseline=bare,
            target=0.5,
        ),
        BenchRow(
            name="event committed → webhook received, one at a time, p50",
            value=statistics.median(taken),
            unit="s",
            target=1,
            at_most=True,
            note=f"{ALONE} events, at most {max(taken):.2f} s",
        ),
    ]
