"""One run of subscriptions: organizations subscribe, change plan and renew while parts are killed and answers are lost.

In the end each has one subscription at Stripe, each invoice that was paid there is one bill here with its credits once,
and the books agree.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx2

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, Request, RetryingClient
from tests.faults.load import (
    Load,
    all_at_stripe,
    give,
    lose_one_answer,
    organization,
    stripe_of,
    under_kills,
)
from tests.faults.run import Say

#: What a subscription passes through.
PARTS = ("postgres", "temporal", "worker", "server", "stripe")
#: How long what renews may take once everything is back.
END_SECONDS = 240.0
#: A period and some time after it, in which a renewal is charged.
A_MONTH_SECONDS = 32 * 86_400
#: What the plans of the run grant: at the beginning, and in the month after a change.
GRANTS = {"starter": 500 * 10**6, "professional": 2_000 * 10**6}


@dataclass(frozen=True)
class SubscriptionSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    subscribers: int = 40
    kills: int = 3
    parts: tuple[str, ...] = PARTS


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
    killed = f"{', '.join(setup.parts)} killed {setup.kills} times each"
    return f"{setup.subscribers} subscriptions; {killed}, answers of Stripe lost"


async def run_subscriptions(setup: SubscriptionSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; the clock of the stack's Stripe is a month ahead afterwards."""
    findings, stripe = Findings(), stripe_of(stack)
    operator = RetryingClient(stack.api_url, f"{setup.seed} subscriptions", Journal())
    subscribers = [await _subscriber(operator, stack, stripe, number) for number in range(setup.subscribers)]
    await operator.close()
    say(f"  {len(subscribers)} organizations with a stored card")

    async def subscribe(client: RetryingClient, journal: Journal, number: int) -> None:
        one = subscribers[number]
        await lose_one_answer(stripe, "/v1/subscriptions", number)
        await _ordered(client, journal, one, "POST", "starter", 201)
        if one.plan != "starter":
            await _ordered(client, journal, one, "PUT", one.plan, 200)

    load = Load(seed=setup.seed, what="subscriptions", count=setup.subscribers, kills=setup.kills, parts=setup.parts)
    journal = await under_kills(load, say, stack, findings, subscribe)
    await stripe.post("/_control/faults", json={})
    # A month passes at Stripe, and whoever hears of it first is killed.
    await stripe.post("/_control/clock", json={"advance": A_MONTH_SECONDS}, timeout=END_SECONDS)
    await stack.kill("worker")
    await stack.wait_ready("worker")
    findings.check(f"{len(journal.answered)} orders answered as planned", journal.wrong)
    await _count(findings, stack, stripe, subscribers)
    await stripe.aclose()
    await prove(findings, stack)
    return findings


async def _ordered(
    client: RetryingClient, journal: Journal, one: Subscriber, method: str, plan: str, expected: int
) -> None:
    order = Request(one.token, "/billing/subscription", {"plan": plan}, f"{method}-{one.number}", method)
    answer = await client.command(order, twice=one.number % 4 == 0)
    if answer.status_code != expected or answer.json()["plan"] != plan:
        journal.wrong.append(f"{order.key}: {answer.status_code} {answer.text[:200]}")


async def _subscriber(operator: RetryingClient, stack: Stack, stripe: httpx2.AsyncClient, number: int) -> Subscriber:
    org_id, owner = await organization(operator, stack, f"Subscriber {number}")
    customer = (await give(operator, owner, "/billing/customer", {}, f"subscriber {number} customer"))["customer_id"]
    stored = await stripe.post("/v1/payment_methods/pm_card_visa/attach", data={"customer": customer})
    stored.raise_for_status()
    return Subscriber(number, org_id, owner)


async def _count(findings: Findings, stack: Stack, stripe: httpx2.AsyncClient, subscribers: list[Subscriber]) -> None:
    """Wait until every renewal is booked and paid here, and compare all of it with the provider."""
    there = await all_at_stripe(stripe, "/v1/subscriptions", status="all")
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
        for one in await all_at_stripe(stripe, "/v1/invoices", status="paid")
        if one["amount_paid"] and _subscription_of(one) in refs
    }
    orgs = [each.org_id for each in subscribers]
    deadline = time.monotonic() + END_SECONDS
    async with books(stack) as connection:
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
