"""Reports on the books: how fast days are added up against posting in sets, and a report at two sizes."""

import secrets
import statistics
import time
from datetime import UTC, datetime, timedelta

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from dev.bench.rows import BenchRow
from dev.bench.world import World
from domain.common.accounts import org_cash, platform, provider_clearing
from ledger.gateway import Ledger, NewTransfer
from ledger.revenue import Revenue
from repositories.books import accounting
from runtime.database import Database

ORGANIZATIONS = 1_000
BATCH = 5_000
#: Transfers in the books at the first reading, and how many times as many at the second.
SIZE, GROWTH = 20_000, 4
READINGS = 9
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


async def run(world: World) -> list[BenchRow]:
    """Post, add up and read, then the same in larger books."""
    connection = await asyncpg.connect(world.database_url)
    database = Database(world.database_url, world.database_url, pool_size=1)
    try:
        await _add_up(connection)
        posted, added, read = 0.0, 0.0, []
        for size in (SIZE, SIZE * (GROWTH - 1)):
            posted = await _post(Ledger(connection), size)
            added = await _add_up(connection, size)
            async with database.platform() as session:
                read.append(await _read(session))
    finally:
        await connection.close()
        await database.close()
    return [
        BenchRow(
            name="transfers added to their days, against posting them in sets",
            value=added,
            unit="/s",
            against="posted",
            baseline=posted,
        ),
        BenchRow(
            name=f"trial balance of a month in {GROWTH} times as large books",
            value=read[1] * 1000,
            unit="ms",
            against=f"{SIZE:,} transfers",
            baseline=read[0] * 1000,
            target=1.5,
            at_most=True,
        ),
    ]


def _transfer(key: str, number: int) -> NewTransfer:
    """Money that comes in from a provider, or from the platform: nothing that a wallet may not have."""
    source = provider_clearing("stripe", "USD") if number % 2 else platform("exchange", "USD")
    return NewTransfer(key, source, org_cash(f"org_bench_{number % ORGANIZATIONS}", "USD"), 100)


async def _post(ledger: Ledger, size: int) -> float:
    """Post `size` transfers over thirty days and return the rate per second."""
    run, began = secrets.token_hex(8), time.monotonic()
    for first in range(0, size, BATCH):
        transfers = [_transfer(f"{run}:{n}", n) for n in range(first, first + BATCH)]
        at = FIRST + timedelta(days=first // BATCH % 30)
        await ledger.post_batch(kind="bench", transfers=transfers, effective_at=at)
    return size / (time.monotonic() - began)


async def _add_up(connection: asyncpg.Connection, size: int = 1) -> float:
    """Add up what was posted, and return how many transfers a second; marking how far it may go is not counted."""
    until = await connection.fetchval("SELECT uuidv7()")
    while not await connection.fetchval("SELECT settled >= $1 FROM ledger.revenue_place", until):
        await Revenue(connection).mark(settle=timedelta(0))
    began = time.monotonic()
    while await connection.fetchval("SELECT ledger.add_up_days($1)", BATCH):
        pass
    return size / (time.monotonic() - began)


async def _read(session: AsyncSession) -> float:
    """Return the median time of a trial balance in seconds."""
    first, times = FIRST.date(), []
    for _ in range(READINGS):
        began = time.monotonic()
        await accounting.lines(session, first, first + timedelta(days=29), "USD")
        times.append(time.monotonic() - began)
    return statistics.median(times)
