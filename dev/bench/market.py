"""The marketplace: sales for credits over HTTP, and what paying a creator out costs among few and among many.

A sale is a purchase with credits, or a use of an agent that is priced by usage: each passes the spend controls, is
shared between creator and platform and moves its lots along. The bare endpoint reads one row.
"""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg
import httpx2

from dev.bench.books import Server
from dev.bench.client import Connection
from dev.bench.http import bare_server, load
from dev.bench.rows import BenchRow
from dev.bench.uses import CONNECTIONS, tenants
from dev.bench.world import World
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.money import amounts_from
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger, NewTransfer
from runtime.database import Database
from runtime.identity import new_id
from services.payouts import payout

#: How many agents each of the callers buys, and how often it uses one.
SALES = int(os.environ.get("BENCH_SALES", "15"))
CREATORS = tuple(int(size) for size in os.environ.get("BENCH_CREATORS", "100,1000").split(","))
#: How many of the creators are paid out while that is measured.
PAID = 100
EARNED_MINOR = 5_000
NUMBERS = count(1)
ACTOR = Actor(principal="bench", role=Role.FINANCE)


Ask = tuple[str, dict[str, Any]]


async def _offers(world: World, key: str, number: int, **offer: Any) -> list[str]:
    """Return agents of a creator that are for sale."""
    made = []
    authorization = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=world.api_url, headers=authorization, timeout=30) as client:
        for _ in range(number):
            once = {"Idempotency-Key": f"bench-market-{next(NUMBERS)}"}
            agent = (await client.post("/agents", json={"name": "bench"}, headers=once)).json()["id"]
            (await client.put(f"/marketplace/agents/{agent}", json=offer)).raise_for_status()
            made.append(agent)
    return made


async def _sales(world: World, asks: dict[str, list[Ask]]) -> float:
    """Send each caller's requests one after the other over one connection; return sales per second."""

    async def buy(key: str, own: list[Ask]) -> None:
        connection = Connection("127.0.0.1", world.port)
        for path, body in own:
            await connection.post(f"/api/v1{path}", key, f"bench-market-{next(NUMBERS)}", body)
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(buy(key, own) for key, own in asks.items()))
    return sum(map(len, asks.values())) / (time.perf_counter() - began)


def _buying(agents: list[str]) -> list[Ask]:
    return [(f"/marketplace/agents/{agent}/purchase", {}) for agent in agents]


def _using(agent: str) -> list[Ask]:
    return [("/credits/use", {"payee_agent_id": agent, "action": "page"})] * SALES


async def _by_http(world: World) -> list[BenchRow]:
    keys = await tenants(world, CONNECTIONS, "market")
    creators = await tenants(world, CONNECTIONS, "creators")
    sold = [await _offers(world, creator, SALES, model="one_time", price="1") for creator in creators]
    metered = [(await _offers(world, creator, 1, model="usage", prices={"page": "0.1"}))[0] for creator in creators]
    await _sales(world, {key: _buying(metered) for key in keys})
    async with bare_server(world) as port:
        purchases = await _sales(world, {key: _buying(own) for key, own in zip(keys, sold, strict=True)})
        bare = await load(port, "/row")
        uses = await _sales(world, {key: _using(own) for key, own in zip(keys, metered, strict=True)})
        of_one = await _sales(world, {key: _using(metered[0]) for key in keys})
    against = f"a bare endpoint that reads one row, {CONNECTIONS} connections"
    return [
        *(
            BenchRow(
                name=f"{what}, {CONNECTIONS} callers of as many creators, one process",
                value=value,
                unit="requests/s",
                against=against,
                baseline=bare,
            )
            for what, value in (("purchase of an agent with credits", purchases), ("use of an agent", uses))
        ),
        BenchRow(
            name=f"use of one creator's agent, {CONNECTIONS} callers, one process",
            value=of_one,
            unit="requests/s",
            against="of as many creators",
            baseline=uses,
            note="the sales of a creator follow one another",
        ),
    ]


async def _creators(connection: asyncpg.Connection, number: int) -> list[str]:
    """Make organizations with an agent each that has earned money, and an account to be paid out to."""
    now = datetime.now(UTC)
    ids = [(new_id("org"), new_id("agt")) for _ in range(number)]
    orgs, agents = [org for org, _ in ids], [agent for _, agent in ids]
    await connection.execute(
        "INSERT INTO organizations (id, name, created_by, command_id) SELECT id, 'bench', 'bench', id "
        "FROM unnest($1::text[]) id",
        orgs,
    )
    await connection.execute(
        "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id) "
        "SELECT a, o, 'bench', 'public', 'free', 'bench', a FROM unnest($1::text[], $2::text[]) AS n (o, a)",
        orgs,
        agents,
    )
    await connection.execute(
        """
        INSERT INTO creator_accounts (org_id, provider, ref, country, details_submitted, transfers_enabled,
            payouts_enabled, tax_profile, requirements_due, destination, destination_last4, destination_currency,
            seen_at, created_by)
        SELECT id, 'stripe', 'acct_' || id, 'US', true, true, true, true, '{}', 'bank', '6789', 'USD', $2, 'bench'
        FROM unnest($1::text[]) id
        """,
        orgs,
        now,
    )
    ledger = Ledger(connection)
    source = accounts.platform("commission", "USD")
    for start in range(0, number, 500):
        transfers = [
            NewTransfer(f"bench-earned:{agent}", source, accounts.agent_earnings(agent, "USD", org), EARNED_MINOR)
            for org, agent in ids[start : start + 500]
        ]
        await ledger.post_batch(kind="bench", transfers=transfers, effective_at=now - timedelta(days=60))
    return orgs


async def _payouts(database: Database, orgs: list[str]) -> float:
    """Take out what creators have earned, one after the other; returns milliseconds each."""
    hold_back = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7), refunds=timedelta(days=14))
    began = time.perf_counter()
    for org_id in orgs:
        async with database.platform() as session:
            made = await payout.request(
                session,
                ACTOR,
                org_id=org_id,
                currency=None,
                amount_minor=None,
                hold_back=hold_back,
                minimum=amounts_from("10.00"),
                command_id=new_id("cmd"),
                now=datetime.now(UTC),
            )
        if made.amount_minor != EARNED_MINOR:
            raise RuntimeError(f"{org_id} was paid out {made.amount_minor}")
    return (time.perf_counter() - began) / len(orgs) * 1000


async def _among(world: World, database: Database) -> list[BenchRow]:
    connection = await asyncpg.connect(world.database_url)
    cost = []
    try:
        await _payouts(database, (await _creators(connection, 10)))
        for size in CREATORS:
            orgs = await _creators(connection, size)
            await connection.execute("ANALYZE")
            cost.append(await _payouts(database, orgs[-PAID:]))
    finally:
        await connection.close()
    return [
        BenchRow(
            name=f"cost of a payout among {CREATORS[-1]:,} creators",
            value=cost[-1],
            unit="ms",
            against=f"among {CREATORS[0]:,}",
            baseline=cost[0],
            target=1.2,
            at_most=True,
            note="taken out of the earnings and written; what is sent follows in a run of its own",
        )
    ]


async def run(world: World) -> list[BenchRow]:
    """Measure sales over HTTP with one process, and payouts on one connection."""
    return [*await _by_http(world), *await _on_books(world)]


async def _on_books(world: World) -> list[BenchRow]:
    server = Server.of(world)
    database = Database(server.url("bursar_api", "bursar"), server.url("bursar_platform", "bursar"), pool_size=1)
    try:
        return await _among(world, database)
    finally:
        await database.close()
        server.close()
