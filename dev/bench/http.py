"""GET balance and summary over HTTP against a bare endpoint that reads one row."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from dev.bench.rows import Row, alternate
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


async def run(world: World) -> list[Row]:
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
    return [
        Row(
            name="GET balance over HTTP, one process, 16 connections",
            value=ours,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=theirs,
            target=0.5,
        ),
        Row(
            name=f"GET billing summary of {ACCOUNTS} accounts, one process, 16 connections",
            value=summaries,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=rows,
            target=0.2,
        ),
    ]
