"""A price by fifty rules over HTTP, each connection another client's, against a bare endpoint that reads one row."""

from functools import partial
from typing import Any

import httpx2

from dev.bench.http import CONNECTIONS, bare_server, measure
from dev.bench.rows import BenchRow, alternate
from dev.bench.uses import tenants
from dev.bench.world import World

RULES = 50
ROUNDS = 5
#: Of each kind in turn. Small changes, so that fifty of them come to a price.
KINDS: tuple[dict[str, Any], ...] = (
    {"type": "surge", "threshold": "0.5", "maximum": "1.02"},
    {"type": "time_of_day", "zone": "Europe/Vienna", "multiplier": "1.01", "begins": "06:00", "ends": "22:00"},
    {"type": "bulk", "steps": [{"quantity": 10, "multiplier": "0.99"}, {"quantity": 100, "multiplier": "0.985"}]},
    {"type": "volume", "steps": [{"amount": "1000", "multiplier": "0.99"}]},
    {"type": "tier", "tier": "free", "multiplier": "1.005"},
    {"type": "custom", "expression": "quantity >= 10 && tier == 'premium' ? 9900 : 10000 + demand / 100"},
)


async def priced_agent(world: World) -> str:
    """Make an agent with a price, and the rules that its price is made by."""
    async with httpx2.AsyncClient() as client:

        async def post(key: str, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {world.keys[key]}"}
            answer = await client.request(method, world.api_url + path, json=body, headers=headers)
            answer.raise_for_status()
            made: dict[str, Any] = answer.json()
            return made

        pricing = {"model": "one_time", "amount": "10", "currency": "CREDIT"}
        agent = await post("studio", "/agents", {"name": "Priced", "visibility": "public", "pricing": pricing})
        await post("studio", f"/pricing/agents/{agent['id']}", {"capacity": 10}, "PUT")
        for number in range(RULES):
            body = {"name": f"rule {number}", "priority": number, "terms": KINDS[number % len(KINDS)]}
            await post("operator", "/pricing/rules", body)
        return str(agent["id"])


async def run(world: World) -> list[BenchRow]:
    """Measure both in turn, each server with one process: the price that is asked for plainly, and with a query."""
    path = f"/api/v1/payments/pricing/{await priced_agent(world)}"
    keys = [f"Authorization: Bearer {key}" for key in await tenants(world, CONNECTIONS, "prices")]
    rows = []
    async with bare_server(world) as port:
        for name, query in (("", ""), (" of twenty", "?quantity=20")):
            slow: dict[bool, list[float]] = {True: [], False: []}

            async def rate(ours: bool, slow: dict[bool, list[float]] = slow, query: str = query) -> float:
                speed, p99 = await (measure(world.port, path + query, *keys) if ours else measure(port, "/row"))
                slow[ours].append(p99)
                return speed

            await rate(True)
            slow[True].clear()
            ours, theirs = await alternate(partial(rate, True), partial(rate, False), ROUNDS)
            middle = {it: sorted(found)[len(found) // 2] for it, found in slow.items()}
            rows += [
                BenchRow(
                    name=f"price{name} by {RULES} rules over HTTP, one process, {CONNECTIONS} clients",
                    value=ours,
                    unit="requests/s",
                    against="bare FastAPI + asyncpg, one row",
                    baseline=theirs,
                    target=0.3,
                ),
                BenchRow(
                    name="its p99",
                    value=middle[True],
                    unit="ms",
                    against="bare FastAPI + asyncpg, one row",
                    baseline=middle[False],
                    target=3.5,
                    at_most=True,
                ),
            ]
    return rows
