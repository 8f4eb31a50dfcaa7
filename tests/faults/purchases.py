"""One run of purchases: agents are bought by card and with credits, and used, while every part is killed.

In the end every organization has each agent that it asked for once, every use that was answered was charged once, and
credits, shares and access agree.
"""

import asyncio
import time
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, Request, RetryingClient
from tests.faults.load import Load, give, organization, under_kills
from tests.faults.run import Say

#: What a purchase passes through.
PARTS = ("postgres", "temporal", "worker", "server", "stripe")
BUYERS = 4
#: In credits, of what is sold and of a unit; and what each buyer is granted.
PRICE, UNIT, GRANTED = Decimal(20), Decimal("0.25"), Decimal(10_000)
#: How long the last payments may take once everything is back: the sweep leaves one alone for some minutes.
END_SECONDS = 240.0


@dataclass(frozen=True)
class PurchaseSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    purchases: int = 60
    kills: int = 3
    parts: tuple[str, ...] = PARTS


def described(setup: PurchaseSetup) -> str:
    """Say what a run does."""
    return f"{setup.purchases} purchases and uses; {', '.join(setup.parts)} killed {setup.kills} times each"


@dataclass(frozen=True)
class Cast:
    """Who buys, each by its organization and its owner's key, and what is sold: by card, for credits, and by use."""

    buyers: list[tuple[str, str]]
    by_card: list[str]
    for_credits: list[str]
    metered: str


async def run_purchases(setup: PurchaseSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings = Findings()
    operator = RetryingClient(stack.api_url, f"{setup.seed} purchases", Journal())
    cast = await _cast(operator, stack, -(-setup.purchases // (3 * BUYERS)))
    say(f"  {len(cast.buyers)} organizations and {len(cast.by_card) + len(cast.for_credits) + 1} agents")
    units = dict.fromkeys((org_id for org_id, _ in cast.buyers), 0)
    wanted: set[tuple[str, str]] = set()

    async def buy(client: RetryingClient, journal: Journal, number: int) -> None:
        kind, place = number % 3, number // 3
        org_id, key = cast.buyers[place % BUYERS]
        body: dict[str, Any] = {}
        if kind == 2:
            path, body = "/credits/use", {"payee_agent_id": cast.metered, "action": "page", "quantity": 1 + place}
        else:
            agent = (cast.by_card, cast.for_credits)[kind][place // BUYERS]
            path = f"/marketplace/agents/{agent}/purchase"
            body = {"payment_method": "pm_card_visa"} if kind == 0 else {}
            wanted.add((org_id, agent))
        answer = await client.command(Request(key, path, body, f"purchase-{number}"), twice=number % 4 == 0)
        if answer.status_code != 201:
            journal.wrong.append(f"purchase-{number}: {answer.status_code} {answer.text[:200]}")
        elif kind == 2:
            units[org_id] += 1 + place

    load = Load(seed=setup.seed, what="purchases", count=setup.purchases, kills=setup.kills, parts=setup.parts)
    journal = await under_kills(load, say, stack, findings, buy)
    findings.check(f"{setup.purchases} purchases and uses answered as planned", journal.wrong)
    await _count(findings, stack, cast, wanted)
    await _balances(findings, operator, cast, wanted, units)
    await operator.close()
    await prove(findings, stack)
    return findings


async def _cast(operator: RetryingClient, stack: Stack, each: int) -> Cast:
    numbers = count(1)

    async def make(key: str, path: str, body: dict[str, Any]) -> Any:
        return await give(operator, key, path, body, f"purchases {path} {next(numbers)}")

    async def agent(offer: dict[str, Any]) -> str:
        agent_id: str = (await make(seller, "/agents", {"name": "Sold", "visibility": "public"}))["id"]
        await operator.put(seller, f"/marketplace/agents/{agent_id}", offer)
        return agent_id

    _, seller = await organization(operator, stack, "Seller of purchases")
    buyers = [await organization(operator, stack, f"Buyer {number} of purchases") for number in range(BUYERS)]
    cast = Cast(
        buyers=buyers,
        by_card=[await agent({"model": "one_time", "price": "25.00", "currency": "USD"}) for _ in range(each)],
        for_credits=[await agent({"model": "one_time", "price": str(PRICE)}) for _ in range(each)],
        metered=await agent({"model": "usage", "prices": {"page": str(UNIT)}}),
    )
    for org_id, key in buyers:
        grant = {"organization_id": org_id, "amount": str(GRANTED), "source": "promotion"}
        await make(stack.seed.keys["operator"], "/credits/grants", grant)
        await make(key, f"/marketplace/agents/{cast.metered}/purchase", {})
    return cast


async def _count(findings: Findings, stack: Stack, cast: Cast, wanted: set[tuple[str, str]]) -> None:
    """Wait until every purchase is there that was asked for, and look for others."""
    query = """
        SELECT org_id, agent_id, status, price_minor, payment_id FROM marketplace_purchases
        WHERE org_id = ANY ($1) AND agent_id <> $2
    """
    orgs, deadline = [org_id for org_id, _ in cast.buyers], time.monotonic() + END_SECONDS
    async with books(stack) as connection:
        while time.monotonic() < deadline:
            rows = await connection.fetch(query, orgs, cast.metered)
            if {(row["org_id"], row["agent_id"]) for row in rows} >= wanted:
                break
            await asyncio.sleep(1)
        taken = await connection.fetchval(
            "SELECT count(*) FROM payments WHERE org_id = ANY ($1) AND received_minor > 0", orgs
        )
    had = [(row["org_id"], row["agent_id"]) for row in rows]
    wrong = [f"{org_id} has {agent} {had.count((org_id, agent))} times" for org_id, agent in wanted]
    findings.check(
        f"{len(rows)} purchases, each agent that was asked for once",
        [each for each, pair in zip(wrong, wanted, strict=True) if had.count(pair) != 1]
        + [f"{row['org_id']}: {row['agent_id']} is {row['status']}" for row in rows if row["status"] != "active"]
        + [f"{pair} was asked for by nobody" for pair in set(had) - wanted],
    )
    by_card = sum(row["payment_id"] is not None for row in rows)
    findings.check(f"{by_card} charged cards, one for each agent", [] if taken == by_card else [f"{taken} payments"])


async def _balances(
    findings: Findings, operator: RetryingClient, cast: Cast, wanted: set[tuple[str, str]], units: dict[str, int]
) -> None:
    wrong = []
    for org_id, key in cast.buyers:
        bought = sum(org == org_id and agent in cast.for_credits for org, agent in wanted)
        left = Decimal((await operator.ask(key, "/billing/balance"))["available"])
        expected = GRANTED - bought * PRICE - units[org_id] * UNIT
        if left != expected:
            wrong.append(f"{org_id} has {left} credits, and not {expected}")
    findings.check("every price and every use was taken once", wrong)
