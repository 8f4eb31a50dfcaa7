"""GET balance, summary and a year by day over HTTP against a bare endpoint that reads one row."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from dev.stack.temporal import free_port
from domain.common import accounts
from domain.common.money import ISSUED, SCALES
from ledger.gateway import Ledger

CONNECTIONS = 16
SECONDS = 3.0
ROUNDS = 5
#: How many accounts the organization has whose summary is read; half of them are earnings of its agents.
ACCOUNTS = 40
_YEAR = (
    """
    INSERT INTO ledger.credit_days (org_id, day, used, spends)
    SELECT $1, d::date, 4000000, 4 FROM generate_series($2::date, $3::date, '1 day') d ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO spend_rollups (org_id, day, spends, open_spends, captured)
    SELECT $1, d::date, 4, '{}', 4000000 FROM generate_series($2::date, $3::date, '1 day') d ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO spend_days (org_id, day, action, spends, quantity, captured)
    SELECT $1, d::date, 'action-' || n, 1, 1, 1000000
    FROM generate_series($2::date, $3::date, '1 day') d, generate_series(1, 4) n
    """,
)


async def load(port: int, path: str, *headers: str) -> float:
    """Return how many requests a second an address answers over the connections."""
    return (await measure(port, path, *headers))[0]


async def measure(port: int, path: str, *headers: str, connections: int = CONNECTIONS) -> tuple[float, float]:
    """Return how many requests a second an address answers over the connections, and the p99 in milliseconds."""
    command = [
        sys.executable,
        "-m",
        "dev.bench.http_load",
        "127.0.0.1",
        str(port),
        path,
        str(connections),
        str(SECONDS),
    ]
    process = await asyncio.create_subprocess_exec(*command, *headers, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the load generator failed")
    rate, _, p99 = out.split()
    return float(rate), float(p99)


@asynccontextmanager
async def bare_server(world: World) -> AsyncIterator[int]:
    """Run the bare endpoint for a while and yield its port."""
    port = free_port()
    environment = {**os.environ, "BENCH_DATABASE_URL": world.database_url, "BENCH_PORT": str(port)}
    bare = await asyncio.create_subprocess_exec(sys.executable, "-m", "dev.bench.bare_api", env=environment)
    try:
        await world.wait_for(f"http://127.0.0.1:{port}/row")
        await load(port, "/row")
        yield port
    finally:
        bare.terminate()
        await bare.wait()


async def open_accounts(world: World) -> None:
    """Give the client's organization balances in other currencies, and its agents earnings."""
    org_id, now = world.ids["client_org"], datetime.now(UTC)
    currencies = sorted(set(SCALES) - ISSUED)[: ACCOUNTS // 2 - 1]
    earning = [accounts.agent_earnings(f"agt_bench_{number}", "USD", org_id) for number in range(ACCOUNTS // 2)]
    connection = await asyncpg.connect(world.database_url)
    try:
        for number, account in enumerate([*(accounts.org_cash(org_id, code) for code in currencies), *earning]):
            await Ledger(connection).post(
                key=f"bench:summary:{number}",
                kind="bench",
                source=accounts.platform("exchange", account.asset),
                destination=account,
                amount_minor=100,
                effective_at=now,
            )
    finally:
        await connection.close()


async def spend_a_year(world: World) -> str:
    """Give the organization a year of spending that is added up by day; return the question about it."""
    org_id, today = world.ids["client_org"], datetime.now(UTC).date()
    first = today - timedelta(days=364)
    connection = await asyncpg.connect(world.database_url)
    try:
        for statement in _YEAR:
            await connection.execute(statement, org_id, first, today - timedelta(days=1))
    finally:
        await connection.close()
    return f"/api/v1/series?metric=spending&from={first}"


async def run(world: World) -> list[BenchRow]:
    """Measure each against the bare endpoint in turn, each server with one process."""
    summary = "/api/v1/billing/summary"
    key = f"Authorization: Bearer {world.keys['client']}"
    async with bare_server(world) as port:
        await load(world.port, "/api/v1/billing/balance", key)
        ours, theirs = await alternate(
            lambda: load(world.port, "/api/v1/billing/balance", key), lambda: load(port, "/row"), ROUNDS
        )
        await open_accounts(world)
        await load(world.port, summary, key)
        summaries, rows = await alternate(lambda: load(world.port, summary, key), lambda: load(port, "/row"), ROUNDS)
        year = await spend_a_year(world)
        await load(world.port, year, key)
        years, once = await alternate(lambda: load(world.port, year, key), lambda: load(port, "/row"), ROUNDS)
    return [
        BenchRow(
            name="GET balance over HTTP, one process, 16 connections",
            value=ours,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=theirs,
            target=0.5,
        ),
        BenchRow(
            name=f"GET billing summary of {ACCOUNTS} accounts, one process, 16 connections",
            value=summaries,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=rows,
            target=0.2,
        ),
        BenchRow(
            name="spending of a year by day, one process, 16 connections",
            value=years,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=once,
            target=0.1,
        ),
    ]
