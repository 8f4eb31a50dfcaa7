"""One run of subscriptions: organizations subscribe, change plan and renew while parts are killed and answers are lost.

In the end each has one subscription at Stripe, each invoice that was paid there is one bill here with its credits once,
and the books agree.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2

from dev.stack.demo import verify_books
from dev.stack.supervisor import Stack
from tests.faults.audit import Findings
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.killer import Killer
from tests.faults.run import Say, tell_load, tell_stalls

#: What a subscription passes through.
PARTS = ("postgres", "temporal", "worker", "server", "stripe")
CLIENTS = 4
#: How long what renews may take once everything is back.
END_SECONDS = 240.0
#: One call in so many is answered by a cut connection, after it had its effect.
LOST_ONE_IN = 3
#: A period and some time after it, in which a renewal is charged.
A_MONTH_SECONDS = 32 * 86_400
#: What the plans of the run grant: at the beginning, and in the month after a change.
GRANTS = {"starter": 500 * 10**6, "professional": 2_000 * 10**6}


@dataclass(frozen=True)
class SubscriptionSetup:
    """What a run is made of; the same setup draws the same kills."""

    seed: int
    subscribers: int = 40
    kills: int = 3


@dataclass(frozen=True)
class Subscriber:
    """An organization with a stored card, and the plan that it ends on: every other one takes a larger one."""

    number: int
    org_id: str
    token: str

    @property
    def plan(self) -> str:
        return "professional" if self.number % 2 else "starter"


def described(setup: SubscriptionSetup) -> str:
    """Say what a run does."""
    return (
        f"{setup.subscribers} subscriptions; {', '.join(PARTS)} killed {setup.kills} times each, answers of Stripe lost"
    )


async def run_subscriptions(setup: SubscriptionSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; the clock of the stack's Stripe is a month ahead afterwards."""
    findings, journal, setting_up = Findings(), Journal(), Journal()
    key = json.loads((stack.data_dir / "stripe" / "secrets.json").read_text())["api_key"]
    stripe = httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{stack.ports.stripe_sandbox}",
        trust_env=False,
        timeout=10,
        headers={"Authorization": f"Bearer {key}"},
    )
    operator = RetryingClient(stack.api_url, f"{setup.seed} subscriptions", setting_up)
    subscribers = [await _subscriber(operator, stack, stripe, number) for number in range(setup.subscribers)]
    await operator.close()
    say(f"  {len(subscribers)} organizations with a stored card")

    killer = Killer(stack, journal, setup.seed, setup.kills, setup.subscribers, parts=PARTS)
    clients = [RetryingClient(stack.api_url, f"{setup.seed} subscriber {n}", journal) for n in range(CLIENTS)]
    waiting = iter(subscribers)
    began = time.monotonic()

    async def work(client: RetryingClient) -> None:
        for one in waiting:
            await killer.may_begin()
            try:
                await _lose_one_answer(stripe, one.number)
                await _ordered(client, journal, one, "POST", "starter", 201)
                if one.plan != "starter":
                    await _ordered(client, journal, one, "PUT", one.plan, 200)
            except NoResponse as error:
                journal.wrong.append(str(error))
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        group.create_task(killer.run(say))
        for client in clients:
            group.create_task(work(client))
    tell_load(say, journal, time.monotonic() - began, "subscriptions")
    tell_stalls(say, journal, killer.done)
    await stripe.post("/_control/faults", json={})
    # A month passes at Stripe, and whoever hears of it first is killed.
    await stripe.post("/_control/clock", json={"advance": A_MONTH_SECONDS}, timeout=END_SECONDS)
    await stack.kill("worker")
    await stack.wait_ready("worker")
    await asyncio.gather(*(client.close() for client in clients))
    fell = sum(len(kill.parts) for kill in killer.done)
    findings.check(f"{fell} kills in {len(killer.done)} strikes", [] if fell == setup.kills * len(PARTS) else ["fewer"])
    findings.check(f"{len(journal.answered)} orders answered as planned", journal.wrong)
    await _count(findings, stack, stripe, subscribers)
    await stripe.aclose()
    proof = await asyncio.to_thread(verify_books, stack.postgres.url(database="bursar"))
    findings.check("python -m manage verify", [] if proof.returncode == 0 else [proof.stdout[-2000:]])
    return findings


async def _ordered(
    client: RetryingClient, journal: Journal, one: Subscriber, method: str, plan: str, expected: int
) -> None:
    order = Request(one.token, "/billing/subscription", {"plan": plan}, f"{method}-{one.number}", method)
    answer = await client.command(order, twice=one.number % 4 == 0)
    if answer.status_code != expected or answer.json()["plan"] != plan:
        journal.wrong.append(f"{order.key}: {answer.status_code} {answer.text[:200]}")


async def _lose_one_answer(stripe: httpx2.AsyncClient, number: int) -> None:
    """Have the answer to an order lost after it had its effect, now and then; the sandbox may be down itself."""
    if number % LOST_ONE_IN:
        return
    fault = {"mode": "close_after_commit", "method": "POST", "path": "/v1/subscriptions", "times": 1}
    try:
        await stripe.post("/_control/faults", json=fault)
    except httpx2.TransportError:
        return


async def _subscriber(operator: RetryingClient, stack: Stack, stripe: httpx2.AsyncClient, number: int) -> Subscriber:
    async def make(token: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await operator.command(Request(token, path, body, f"subscriber {number} {path}"))
        if response.status_code not in {200, 201}:
            raise NoResponse(f"{path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer

    token = stack.seed.keys["operator"]
    org_id = (await make(token, "/organizations", {"name": f"Subscriber {number}"}))["id"]
    body = {"organization_id": org_id, "principal": "owner", "role": "owner"}
    owner = (await make(token, "/api-keys", body))["secret"]
    customer = (await make(owner, "/billing/customer", {}))["customer_id"]
    stored = await stripe.post("/v1/payment_methods/pm_card_visa/attach", data={"customer": customer})
    stored.raise_for_status()
    return Subscriber(number, org_id, owner)


async def _count(findings: Findings, stack: Stack, stripe: httpx2.AsyncClient, subscribers: list[Subscriber]) -> None:
    """Wait until every renewal is booked and paid here, and compare all of it with the provider."""
    there = await _all(stripe, "/v1/subscriptions", status="all")
    ours = [one for one in there if one["metadata"].get("org_id") in {each.org_id for each in subscribers}]
    by_org = Counter(one["metadata"]["org_id"] for one in ours)
    findings.check(
        f"{len(ours)} subscriptions at Stripe, one for each organization, and all of them go on",
        [f"{each.org_id} has {by_org[each.org_id]}" for each in subscribers if by_org[each.org_id] != 1]
        + [f"{one['id']} is {one['status']}" for one in ours if one["status"] != "active"],
    )
    refs = {one["id"] for one in ours}
    invoices = {
        one["id"]: one["amount_paid"]
        for one in await _all(stripe, "/v1/invoices", status="paid")
        if one["amount_paid"] and _subscription_of(one) in refs
    }
    connection = await asyncpg.connect(stack.postgres.url(database="bursar"))
    orgs = [each.org_id for each in subscribers]
    deadline = time.monotonic() + END_SECONDS
    try:
        while True:
            bills = await connection.fetch(
                "SELECT b.bill_ref, b.gross_minor, i.status FROM subscription_bills b"
                " JOIN invoices i ON i.id = b.invoice_id WHERE b.org_id = ANY ($1)",
                orgs,
            )
            is_done = len(bills) >= len(invoices) and all(row["status"] == "paid" for row in bills)
            if is_done or time.monotonic() > deadline:
                break
            await asyncio.sleep(1)
        grants = await connection.fetch("SELECT * FROM subscription_grants WHERE org_id = ANY ($1)", orgs)
    finally:
        await connection.close()
    booked = {row["bill_ref"]: row["gross_minor"] for row in bills}
    findings.check(
        f"{len(bills)} bills, each an invoice that was paid at Stripe, and paid here",
        [
            f"{ref}: {booked.get(ref)} here, {paid} at Stripe"
            for ref, paid in invoices.items()
            if booked.get(ref) != paid
        ]
        + [f"{ref} was not paid at Stripe" for ref in booked.keys() - invoices.keys()]
        + [f"{row['bill_ref']} is {row['status']}" for row in bills if row["status"] != "paid"],
    )
    given = Counter(row["bill_ref"] for row in grants)
    # The first month and its renewal; a change in between grants the difference at once, less what has passed.
    wrong = [f"{ref} has granted {given[ref]} times" for ref in booked if given[ref] != 1]
    for one in subscribers:
        own = sorted((row for row in grants if row["org_id"] == one.org_id), key=lambda row: row["starts_at"])
        whole = [row["credits_minor"] for row in own if not row["key"].endswith(":upgrade")]
        if whole != [GRANTS["starter"], GRANTS[one.plan]]:
            wrong.append(f"{one.org_id}, on {one.plan}: granted {whole}")
    findings.check(f"{len(grants)} grants, each period's credits once", wrong)


def _subscription_of(invoice: dict[str, Any]) -> str | None:
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    named: str | None = details.get("subscription")
    return named


async def _all(stripe: httpx2.AsyncClient, path: str, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = (await stripe.get(path, params={"limit": "100", **asked, **after})).json()
        found += page["data"]
        if not page["has_more"]:
            return found
