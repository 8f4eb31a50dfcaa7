"""Using credits over HTTP: one organization against many, and against an endpoint that reads one row.

And the latency of the balance of an organization with 100,000 lots, alone and during charges.
"""

import asyncio
import statistics
import sys
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx2

from dev.bench.http import bare_server, load, measure
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from domain.common.accounts import org_credits, platform
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger, NewTransfer

CALLERS = 32
CONNECTIONS = 16
LOTS, LOTS_A_SET = 100_000, 5_000
#: Organizations that charge while the balance is read.
BESIDE = 8
SECONDS = 3.0
ROUNDS = 5


async def _charges(world: World, keys: list[str]) -> float:
    command = [sys.executable, "-m", "dev.bench.use_load", "127.0.0.1", str(world.port), str(SECONDS), *keys]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the load generator failed")
    return float(out)


async def tenants(world: World, number: int, name: str = "bench") -> list[str]:
    """Make organizations with a million credits each, and return a key of each."""
    keys = []
    authorization = {"Authorization": f"Bearer {world.keys['operator']}"}
    async with httpx2.AsyncClient(base_url=world.api_url, headers=authorization, timeout=30) as client:

        async def post(path: str, body: dict[str, str], key: str) -> dict[str, str]:
            answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
            answer.raise_for_status()
            made: dict[str, str] = answer.json()
            return made

        for place in range(number):
            org_id = (await post("/organizations", {"name": f"{name} {place}"}, f"{name}-org-{place}"))["id"]
            grant = {"organization_id": org_id, "amount": "1000000", "source": "promotion"}
            await post("/credits/grants", grant, f"{name}-grant-{place}")
            wanted = {"organization_id": org_id, "principal": "bench", "role": "owner"}
            keys.append((await post("/api-keys", wanted, f"{name}-key-{place}"))["secret"])
    return keys


async def give_lots(world: World, org_id: str) -> None:
    """Give an organization as many lots as a customer of years may have, each with an end of its own."""
    connection = await asyncpg.connect(world.database_url)
    ledger, source, now = Ledger(connection), platform("credit_issuance", "CREDIT"), datetime.now(UTC)
    for start in range(0, LOTS, LOTS_A_SET):
        transfers = [
            NewTransfer(
                f"bench-lot:{number}",
                source,
                org_credits(org_id),
                1_000_000,
                lots=LotTerms(source=LotSource.PROMOTION, expires_at=now + timedelta(days=1, minutes=number)),
            )
            for number in range(start, start + LOTS_A_SET)
        ]
        await ledger.post_batch(kind="grant", transfers=transfers, effective_at=now)
    await connection.execute("ANALYZE ledger.lots")
    await connection.close()


async def balances(world: World, keys: list[str]) -> list[BenchRow]:
    """Measure the p99 of reading a balance of many lots, alone and during charges, each over one connection.

    What else runs on the machine is in all p99s; that of the bare endpoint says how much.
    """
    await give_lots(world, world.ids["client_org"])
    path, key = "/api/v1/billing/balance", f"Authorization: Bearer {world.keys['client']}"

    async def p99() -> float:
        return (await measure(world.port, path, key, connections=1))[1]

    async with bare_server(world) as port:

        async def bare() -> float:
            return (await measure(port, "/row", connections=1))[1]

        alone, least = await alternate(p99, bare, ROUNDS)
    beside = statistics.median(
        [(await asyncio.gather(p99(), _charges(world, keys[:BESIDE])))[0] for _ in range(ROUNDS)]
    )
    return [
        BenchRow(
            name=f"p99 of GET balance, {LOTS:,} lots",
            value=alone,
            unit="ms",
            target=10,
            at_most=True,
            note=f"bare FastAPI + asyncpg, one row: {least:.1f} ms",
        ),
        BenchRow(
            name=f"the same during charges by {BESIDE} callers of POST /credits/use, one process",
            value=beside,
            unit="ms",
            target=10,
            at_most=True,
        ),
    ]


async def run(world: World) -> list[BenchRow]:
    """Measure in turn, each server with one process."""
    keys = await tenants(world, CALLERS)
    one, many = [keys[0]] * CALLERS, keys
    await _charges(world, many)
    of_one, of_many = await alternate(lambda: _charges(world, one), lambda: _charges(world, many), ROUNDS)
    async with bare_server(world) as port:
        ours, theirs = await alternate(lambda: _charges(world, keys[:CONNECTIONS]), lambda: load(port, "/row"), ROUNDS)
    return [
        BenchRow(
            name=f"use over HTTP, one process, {CALLERS} callers of one organization",
            value=of_one,
            unit="requests/s",
            against=f"{CALLERS} callers of many organizations",
            baseline=of_many,
            target=0.5,
        ),
        BenchRow(
            name=f"POST /credits/use over HTTP, one process, {CONNECTIONS} connections",
            value=ours,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=theirs,
            target=0.3,
        ),
        *await balances(world, keys),
    ]
