"""One run of syncs of the spend log: calls that are logged meanwhile, operators who order syncs, parts that are killed.

Every part that a sync needs is killed, the proxy's stand-in among them. Then the worker is killed again and again while
it charges, and nothing else is under way. In the end each call is one event, and those whose meter charges are charged
once.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
from temporalio.client import Client

from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from domain.usage.litellm import SOURCE
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.killer import Killer
from tests.faults.run import tell_load, tell_stalls

Say = Callable[[str], None]

#: What a sync passes through.
PARTS = ("postgres", "temporal", "worker", "server", "litellm")
ORGANIZATIONS = 3
GRANT_MINOR = 1_000_000_000
#: What a call costs, in minor units of credits: its meter has a price of a dime.
PRICE_MINOR = 1_000_000
#: How long the last syncs and charges may take once everything is back.
END_SECONDS = 240.0
MODEL = "gpt-4o"
#: How many calls more than one page of each organization wait for each kill of the charging worker.
CHARGED_AT_ONCE = 300


@dataclass(frozen=True)
class SyncSetup:
    """Setup of a run; the same setup draws the same calls and the same kills."""

    seed: int
    calls: int = 1_000
    kills: int = 3
    #: How many calls are logged before each order.
    batch: int = 25
    #: How often the worker is killed in the middle of charging.
    charging_kills: int = 3
    parts: tuple[str, ...] = PARTS


def described(setup: SyncSetup) -> str:
    """Say what a run does."""
    return (
        f"{setup.calls} calls in a spend log that is synced; {', '.join(setup.parts)} killed {setup.kills} times each, "
        f"and the worker {setup.charging_kills} times while it charges"
    )


async def run_sync(setup: SyncSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; nobody has synced on the stack before, because every call is counted."""
    findings, journal = Findings(), Journal()
    token = stack.seed.keys["operator"]
    operator = RetryingClient(stack.api_url, f"{setup.seed} operator", journal)
    owners = await _organizations(operator, token)
    journal.answered.clear()
    log = SpendLogWriter(f"http://127.0.0.1:{stack.ports.litellm_sandbox}", setup.seed, owners)
    rounds = -(-setup.calls // setup.batch)
    killer = Killer(stack, journal, setup.seed, setup.kills, rounds, parts=setup.parts)
    began = time.monotonic()

    async def live() -> None:
        for number in range(rounds):
            await killer.may_begin()
            try:
                await log.add(setup.batch)
                await _order(operator, token, f"sync-{number}")
            except NoResponse as error:
                journal.wrong.append(str(error))
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        group.create_task(killer.run(say))
        group.create_task(live())
    tell_load(say, journal, time.monotonic() - began, "orders of a sync")
    tell_stalls(say, journal, killer.done)
    fell = sum(len(kill.parts) for kill in killer.done)
    findings.check(
        f"{fell} kills in {len(killer.done)} strikes", [] if fell == setup.kills * len(setup.parts) else ["fewer"]
    )
    findings.check(f"{len(journal.answered)} orders answered as planned", journal.wrong)
    await _order(operator, token, "sync-last")
    await _strike_charges(findings, stack, setup, log, lambda: _order(operator, token, "sync-charges"))
    await operator.close()
    await log.close()
    await _count(findings, stack, log)
    await prove(findings, stack)
    return findings


async def _organizations(operator: RetryingClient, token: str) -> list[str]:
    """Create organizations with credits, charged for each of their calls."""

    async def make(path: str, body: dict[str, Any], expected: int = 201) -> dict[str, str]:
        response = await operator.command(Request(token, path, body, f"cast {path} {body.get('name')} {len(made)}"))
        if response.status_code != expected:
            raise NoResponse(f"{path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, str] = response.json()
        return answer

    made: list[str] = []
    for number in range(ORGANIZATIONS):
        made.append((await make("/organizations", {"name": f"Caller {number}"}))["id"])
        grant = {"organization_id": made[-1], "amount": str(GRANT_MINOR // 1_000_000), "source": "promotion"}
        await make("/credits/grants", grant)
    price = {"price": {"model": "per_unit", "unit_price": "1"}, "currency": "CREDIT"}
    meter = await make("/usage/meters", {"name": "calls", "event_type": "llm.call", "aggregation": "count", **price})
    await make(f"/usage/meters/{meter['id']}/charge", {}, 200)
    return made


async def _order(operator: RetryingClient, token: str, key: str) -> None:
    since = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    order = Request(token, "/billing/usage/sync", {"start_date": since}, key)
    response = await operator.command(order, twice=key.endswith("3"))
    if response.status_code != 202:
        raise NoResponse(f"{key}: {response.status_code} {response.text[:300]}")


class SpendLogWriter:
    """Has calls logged by the stand-in, which dies as well: a call has an id of ours, so one in doubt is logged again.

    Attributes:
        owners: whose a call is, by its id.
    """

    def __init__(self, url: str, seed: int, org_ids: list[str]) -> None:
        self.owners: dict[str, str] = {}
        self._org_ids = org_ids
        self._rng = random.Random(f"{seed} calls")
        self._http = httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60)

    async def close(self) -> None:
        await self._http.aclose()

    async def add(self, number: int) -> None:
        """Log `calls` calls of the last hours."""
        rows = []
        for _ in range(number):
            call_id = f"call-{len(self.owners)}"
            self.owners[call_id] = self._rng.choice(self._org_ids)
            at = datetime.now(UTC) - timedelta(seconds=self._rng.randrange(3 * 3600))
            rows.append(
                {
                    "request_id": call_id,
                    "organization_id": self.owners[call_id],
                    "model": MODEL,
                    "prompt_tokens": self._rng.randrange(1, 5_000),
                    "completion_tokens": self._rng.randrange(1, 500),
                    "startTime": at.isoformat(),
                }
            )
        deadline = time.monotonic() + END_SECONDS
        while True:
            try:
                (await self._http.post("/_control/calls", json=rows)).raise_for_status()
                return
            except httpx2.HTTPError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)


async def _strike_charges(
    findings: Findings,
    stack: Stack,
    setup: SyncSetup,
    log: SpendLogWriter,
    order: Callable[[], Awaitable[None]],
) -> None:
    """Queue many calls to be charged, and kill the worker each time after it has charged some."""
    client = await Client.connect(stack.temporal.address, namespace=NAMESPACE)
    schedule = client.get_schedule_handle("usage-charges")
    await schedule.pause()
    connection = await asyncpg.connect(stack.postgres.url(database="bursar"))
    left = "SELECT count(*) FROM usage_charges WHERE spend_id IS NULL"

    async def until(is_so: Callable[[int], bool], query: str = left) -> int:
        deadline = time.monotonic() + END_SECONDS
        number: int
        while not is_so(number := await connection.fetchval(query)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{query}: {number}")
            await asyncio.sleep(0.005)
        return number

    fell: list[int] = []
    try:
        await log.add(CHARGED_AT_ONCE * setup.charging_kills)
        await order()
        await until(
            lambda events: events == len(log.owners), f"SELECT count(*) FROM usage_events WHERE source = '{SOURCE}'"
        )
        before = await until(lambda _: True)
        await schedule.trigger()
        for _ in range(setup.charging_kills):
            due = before
            before = await until(lambda now: now < due)  # noqa: B023
            fell.append(before)
            await stack.kill("worker")
            await stack.wait_ready("worker")
            before = await until(lambda _: True)
    finally:
        await connection.close()
        await schedule.unpause()
    early = [f"{number} charges were left, which is none" for number in fell if not number]
    findings.check(f"{len(fell)} kills of the worker while it charged, with {fell} left to charge", early)


async def _count(findings: Findings, stack: Stack, log: SpendLogWriter) -> None:
    """Wait until what was ordered has run, and count events, charges and credits."""
    client = await Client.connect(stack.temporal.address, namespace=NAMESPACE)
    deadline = time.monotonic() + END_SECONDS
    async with books(stack) as connection:
        while time.monotonic() < deadline:
            # Its own time is every minute.
            await client.get_schedule_handle("usage-charges").trigger()
            charged = await connection.fetchval(
                "SELECT count(c.spend_id) FROM usage_events e"
                " LEFT JOIN usage_charges c ON c.org_id = e.org_id AND c.event = e.id WHERE e.source = $1",
                SOURCE,
            )
            if charged >= len(log.owners):
                break
            await asyncio.sleep(1)
        events = await connection.fetch(
            "SELECT event_id, org_id, cost_pico FROM usage_events WHERE source = $1", SOURCE
        )
        spends = await connection.fetch(
            "SELECT org_id, captured FROM ledger.spends WHERE org_id = ANY ($1)", list(set(log.owners.values()))
        )
        balances = await connection.fetch(
            "SELECT a.path, b.posted FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id"
            " WHERE a.path = ANY ($1)",
            [f"org/{org_id}/credits" for org_id in set(log.owners.values())],
        )
    counted = Counter(event["event_id"] for event in events)
    wrong = [f"{call_id} is {counted[call_id]} events" for call_id in log.owners if counted[call_id] != 1]
    wrong += [f"{call_id} was never logged" for call_id in counted if call_id not in log.owners]
    wrong += [f"{e['event_id']} is of {e['org_id']}" for e in events if log.owners.get(e["event_id"]) != e["org_id"]]
    wrong += [f"{event['event_id']} cost nothing" for event in events if not event["cost_pico"] > Decimal(0)]
    findings.check(f"{len(log.owners)} calls of the log, each one event of its organization", wrong)
    calls = Counter(log.owners.values())
    charged = Counter(spend["org_id"] for spend in spends)
    findings.check(
        f"{len(spends)} charges, one for each call",
        [f"{org_id} made {calls[org_id]} calls, charged {charged[org_id]}" for org_id in calls
         if calls[org_id] != charged[org_id]],
    )  # fmt: skip
    left = {row["path"]: row["posted"] for row in balances}
    findings.check(
        f"{len(calls)} balances are what was granted less the price of the calls",
        [
            f"{org_id} has {left[f'org/{org_id}/credits']} after {number} calls"
            for org_id, number in calls.items()
            if left[f"org/{org_id}/credits"] != GRANT_MINOR - number * PRICE_MINOR
        ],
    )
