"""Using credits over HTTP: one organization against many, and against a bare endpoint that reads one row."""

import asyncio
import os
import sys

import httpx2

from dev.bench.http import load
from dev.bench.rows import Row, alternate
from dev.bench.world import World
from dev.stack.temporal import free_port

CALLERS = 32
CONNECTIONS = 16
SECONDS = 3.0
ROUNDS = 5


async def _charges(world: World, keys: list[str]) -> float:
    command = [sys.executable, "-m", "dev.bench.use_load", "127.0.0.1", str(world.port), str(SECONDS), *keys]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the load generator failed")
    return float(out)


async def tenants(world: World, number: int) -> list[str]:
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
            org_id = (await post("/organizations", {"name": f"Bench {place}"}, f"bench-org-{place}"))["id"]
            grant = {"organization_id": org_id, "amount": "1000000", "source": "promotion"}
            await post("/credits/grants", grant, f"bench-grant-{place}")
            wanted = {"organization_id": org_id, "principal": "bench", "role": "owner"}
            keys.append((await post("/api-keys", wanted, f"bench-key-{place}"))["secret"])
    return keys


async def run(world: World) -> list[Row]:
    """Measure in turn, each server with one process."""
    keys = await tenants(world, CALLERS)
    one, many = [keys[0]] * CALLERS, keys
    await _charges(world, many)
    of_one, of_many = await alternate(lambda: _charges(world, one), lambda: _charges(world, many), ROUNDS)
    port = free_port()
    environment = {**os.environ, "BENCH_DATABASE_URL": world.database_url, "BENCH_PORT": str(port)}
    bare = await asyncio.create_subprocess_exec(sys.executable, "-m", "dev.bench.bare_api", env=environment)
    try:
        await world.wait_for(f"http://127.0.0.1:{port}/row")
        await load(port, "/row")
        ours, theirs = await alternate(lambda: _charges(world, keys[:CONNECTIONS]), lambda: load(port, "/row"), ROUNDS)
    finally:
        bare.terminate()
        await bare.wait()
    return [
        Row(
            name=f"use over HTTP, one process, {CALLERS} callers of one organization",
            value=of_one,
            unit="requests/s",
            against=f"{CALLERS} callers of many organizations",
            baseline=of_many,
            target=0.5,
        ),
        Row(
            name=f"POST /credits/use over HTTP, one process, {CONNECTIONS} connections",
            value=ours,
            unit="requests/s",
            against="bare FastAPI + asyncpg, one row",
            baseline=theirs,
            target=0.3,
        ),
    ]
