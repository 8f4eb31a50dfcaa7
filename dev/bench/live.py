"""Streams of changes: what they cost postings, and how soon another user's change appears."""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import httpx2

from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from domain.common import accounts
from ledger.gateway import Ledger

STREAMS = 200
CONNECTIONS = 8
SECONDS = 3.0
ROUNDS = 5
CHANGES = 20

_NUMBERS = itertools.count(1)


async def run(world: World) -> list[BenchRow]:
    """Measure postings with and without streams in turn, then changes one after another."""
    with_streams, without = await alternate(lambda: _watched(world), lambda: _postings(world), ROUNDS)
    return [
        BenchRow(
            name=f"postings with {STREAMS} streams of changes open, {CONNECTIONS} connections",
            value=with_streams,
            unit="postings/s",
            against="the same without a stream",
            baseline=without,
            target=0.95,
        ),
        BenchRow(
            name="a change by somebody else is on the stream, p50",
            value=await _delay(world),
            unit="s",
            target=1.5,
            at_most=True,
        ),
    ]


@asynccontextmanager
async def _streams(world: World, number: int) -> AsyncIterator[list[AsyncIterator[str]]]:
    """Open streams of the client's organization, and yield their lines behind the marks."""
    headers = {"Authorization": f"Bearer {world.keys['client']}"}
    limits = httpx2.Limits(max_connections=number)
    async with (
        httpx2.AsyncClient(
            base_url=world.api_url, headers=headers, limits=limits, timeout=60, trust_env=False
        ) as client,
        AsyncExitStack() as stack,
    ):
        opened = []
        for _ in range(number):
            response = await stack.enter_async_context(client.stream("GET", "/changes/stream"))
            response.raise_for_status()
            lines = response.aiter_lines()
            while await anext(lines):
                pass
            opened.append(lines)
        yield opened


async def _watched(world: World) -> float:
    async with _streams(world, STREAMS) as streams:
        readers = [asyncio.create_task(_read_on(lines)) for lines in streams]
        try:
            return await _postings(world)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)


async def _read_on(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass


async def _postings(world: World) -> float:
    """Return how many postings a second reach the credits of the client's organization and others."""
    org_id, until = world.ids["client_org"], time.monotonic() + SECONDS

    async def post(number: int) -> int:
        connection, done = await asyncpg.connect(world.database_url), 0
        try:
            destination = accounts.org_cash(org_id, "USD") if number == 0 else accounts.org_cash(f"org_{number}", "USD")
            while time.monotonic() < until:
                await Ledger(connection).post(
                    key=f"bench:live:{next(_NUMBERS)}",
                    kind="bench",
                    source=accounts.platform("exchange", "USD"),
                    destination=destination,
                    amount_minor=1,
                    effective_at=datetime.now(UTC),
                )
                done += 1
        finally:
            await connection.close()
        return done

    return sum(await asyncio.gather(*(post(number) for number in range(CONNECTIONS)))) / SECONDS


async def _delay(world: World) -> float:
    """Return the median of the seconds from an operator's grant, as it is answered, to its event on a stream."""
    headers = {"Authorization": f"Bearer {world.keys['operator']}"}
    delays = []
    async with (
        _streams(world, 1) as (lines,),
        httpx2.AsyncClient(base_url=world.api_url, headers=headers, timeout=60, trust_env=False) as operator,
    ):
        for number in range(CHANGES):
            body = {"organization_id": world.ids["client_org"], "amount": "1", "source": "promotion"}
            key = {"Idempotency-Key": f"bench-live-{number}"}
            (await operator.post("/credits/grants", json=body, headers=key)).raise_for_status()
            begun = time.monotonic()
            # Its balance is told as well; its lot is told once.
            while '"credits"' not in await anext(lines):
                pass
            delays.append(time.monotonic() - begun)
            # So that the next one falls into another part of the second.
            await asyncio.sleep(number / CHANGES)
    return statistics.median(delays)
