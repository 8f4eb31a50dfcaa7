"""Cost of a page of a filtered list over many rows, compared with 1,000 rows.

`python -m dev.bench.lists` measures these rows alone, on a PostgreSQL of its own. `BENCH_LISTED` is how many rows the
large table has, a million by default; `BENCH_LISTED=50000` takes seconds.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg

from dev.bench.books import BOOKS, Server, alone
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from dev.stack.migrate import migrate
from domain.common.ids import make_id
from repositories.common.listing import ListFilter
from repositories.payments import payment
from runtime.database import Database

SMALL, LARGE = 1_000, int(os.environ.get("BENCH_LISTED", "1000000"))
ROUNDS, PAGES, LIMIT = 7, 40, 50
NOW = datetime.now(UTC)
#: One organization for each size, in one table: what one has is in the way of the other.
FEW, MANY = (make_id("org", unix_ms=number, entropy=bytes(10)) for number in (1, 2))
_FILL = """
    INSERT INTO payments (id, org_id, provider, provider_ref, workflow_id, status, version, purpose, currency,
        amount_minor, received_minor, refunded_minor, fee_minor, state, created_at, updated_at)
    SELECT 'pay_' || lpad(i::text, 26, '0'), $1, 'stripe', 'pi_' || $1 || i, 'w',
        CASE WHEN i % 20 = 0 THEN 'failed' ELSE 'succeeded' END, 1, 'credits', 'USD', i, 0, 0, 0, '{}', now(), now()
    FROM generate_series($2::int, $3::int) i
"""


async def measured(server: Server) -> list[BenchRow]:
    """Fill the table, and read pages of both organizations in turn."""
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {BOOKS} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {BOOKS}")
    await owner.close()
    await asyncio.to_thread(migrate, server.url("postgres", BOOKS))
    owner = await asyncpg.connect(server.url("postgres", BOOKS))
    try:
        # What triggers tell of payments is not read here.
        await owner.execute("ALTER TABLE payments DISABLE TRIGGER USER")
        for number, org_id in enumerate((FEW, MANY)):
            await owner.execute(
                "INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, $1, 'bench', $1)", org_id
            )
            first = number * SMALL
            await owner.execute(_FILL, org_id, first + 1, first + (LARGE if number else SMALL))
        await owner.execute("ALTER TABLE payments ENABLE TRIGGER USER")
        await owner.execute("VACUUM ANALYZE payments")
    finally:
        await owner.close()
    database = Database(*(server.url(role, BOOKS) for role in ("bursar_api", "bursar_platform")))
    try:
        indexed = ListFilter(statuses=("failed",), until=NOW + timedelta(days=1))
        return [
            await _row(database, "list by state and time", indexed, 0.8),
            await _row(database, "list by text that nothing has", ListFilter(search="nothing-like-it"), 0.3),
        ]
    finally:
        await database.close()


async def _row(database: Database, name: str, wanted: ListFilter, target: float) -> BenchRow:
    rate, baseline = await alternate(_pages(database, MANY, wanted), _pages(database, FEW, wanted), ROUNDS)
    return BenchRow(
        name=f"{name}, {LARGE:,} rows",
        value=rate,
        unit="pages/s",
        against=f"{SMALL:,} rows",
        baseline=baseline,
        target=target,
    )


def _pages(database: Database, org_id: str, wanted: ListFilter) -> Callable[[], Awaitable[float]]:
    mine = ListFilter(org_id=org_id, statuses=wanted.statuses, until=wanted.until, search=wanted.search, limit=LIMIT)

    async def read() -> float:
        began = time.perf_counter()
        for _ in range(PAGES):
            async with database.tenant(org_id) as session:
                await payment.page(session, mine)
        return PAGES / (time.perf_counter() - began)

    return read


async def run(world: World) -> list[BenchRow]:
    """Measure lists on the bench's PostgreSQL."""
    return await measured(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measured))
