"""One run of payouts: creators take out what they earned, while every part is killed and answers of Stripe are lost.

In the end each payout that the API has answered is one transfer at the provider, of its amount, and the books agree.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import httpx2
from temporalio.client import Client

from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
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

#: What a payout passes through.
PARTS = ("postgres", "temporal", "worker", "server", "stripe")
#: What each payout takes, in dollars, and what an agent costs in credits: a sale earns its creator 270 dollars.
AMOUNT, PRICE = "10.00", "3000.00"
#: How long the last payouts may take once everything is back: the sweep leaves one alone for two minutes.
END_SECONDS = 240.0


@dataclass(frozen=True)
class PayoutSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    payouts: int = 60
    kills: int = 3
    parts: tuple[str, ...] = PARTS


def described(setup: PayoutSetup) -> str:
    """Say what a run does."""
    return f"{setup.payouts} payouts; {', '.join(setup.parts)} killed {setup.kills} times each, answers of Stripe lost"


async def run_payouts(setup: PayoutSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; the stack has had no other payouts, because every transfer is counted."""
    findings, made = Findings(), list[str]()
    stripe = stripe_of(stack)
    operator = RetryingClient(stack.api_url, f"{setup.seed} payouts", Journal())
    owner = await _creator(operator, stack, stripe, -(-setup.payouts * 1_000 // 27_000) + 1)
    await operator.close()
    say(f"  a creator with earnings for {setup.payouts} payouts")

    async def pay_out(client: RetryingClient, journal: Journal, number: int) -> None:
        await lose_one_answer(stripe, "/v1/transfers", number)
        request = Request(owner, "/billing/payouts", {"amount": AMOUNT, "currency": "USD"}, f"payout-{number}")
        answer = await client.command(request, twice=number % 4 == 0)
        if answer.status_code == 201:
            made.append(answer.json()["id"])
        else:
            journal.wrong.append(f"payout-{number}: {answer.status_code} {answer.text[:200]}")

    load = Load(seed=setup.seed, what="payouts", count=setup.payouts, kills=setup.kills, parts=setup.parts)
    journal = await under_kills(load, say, stack, findings, pay_out)
    findings.check(f"{len(made)} payouts answered as planned", journal.wrong)
    await _count(findings, stack, stripe, made)
    await stripe.aclose()
    await prove(findings, stack)
    return findings


async def _creator(operator: RetryingClient, stack: Stack, stripe: httpx2.AsyncClient, sales: int) -> str:
    """Make a creator with an account for payouts, sell its agent so many times for credits, and return its key."""
    _, owner = await organization(operator, stack, "Creator of payouts")
    agents = [
        (await give(operator, owner, "/agents", {"name": f"Seller {n}", "visibility": "public"}, f"seller {n}"))["id"]
        for n in range(sales)
    ]
    account = {"country": "US", "return_url": "https://example.com/earnings"}
    link = await give(operator, owner, "/billing/connect", account, "connect")
    await stripe.get(link["onboarding_url"])
    await stripe.post(link["onboarding_url"], data={"number": "000123456789"})
    await _until(operator, owner, "/billing/connect", "status", "ready")
    for number, agent_id in enumerate(agents):
        await operator.put(
            owner, f"/marketplace/agents/{agent_id}", {"model": "one_time", "price": PRICE, "summary": "Sells."}
        )
        _, buyer = await organization(operator, stack, f"Buyer {number} for payouts")
        wish = {"amount": PRICE, "provider": "stripe", "payment_method": "pm_card_bypassPending"}
        paid = await give(operator, buyer, "/billing/topup", wish, "top up")
        await _until(operator, buyer, f"/payments/{paid['payment_id']}", "status", "succeeded")
        await give(operator, buyer, f"/marketplace/agents/{agent_id}/purchase", {}, "buy")
    return owner


async def _until(client: RetryingClient, token: str, path: str, field: str, value: str) -> None:
    deadline = time.monotonic() + END_SECONDS
    while (await client.ask(token, path))[field] != value:
        if time.monotonic() > deadline:
            raise NoResponse(f"{path} did not become {value}")
        await asyncio.sleep(0.5)


async def _count(findings: Findings, stack: Stack, stripe: httpx2.AsyncClient, made: list[str]) -> None:
    """Wait until every payout has ended, and compare them with the provider's transfers."""
    temporal = await Client.connect(stack.temporal.address, namespace=NAMESPACE)
    deadline = time.monotonic() + END_SECONDS
    async with books(stack) as connection:
        while time.monotonic() < deadline:
            # Gives a run to those whose server died before it started one; its own time is every five minutes.
            await temporal.get_schedule_handle("payout-sweep").trigger()
            rows = await connection.fetch("SELECT id, status, amount_minor, transfer_ref FROM payouts")
            if all(row["status"] in {"paid", "failed"} for row in rows):
                break
            await asyncio.sleep(1)
    transfers = await all_at_stripe(stripe, "/v1/transfers")
    by_payout = Counter(one["transfer_group"] for one in transfers)
    wrong = [f"{row['id']} is {row['status']}" for row in rows if row["status"] != "paid"]
    wrong += [f"{payout_id} was answered and is not there" for payout_id in set(made) - {row["id"] for row in rows}]
    wrong += [f"{row['id']} was asked for by nobody" for row in rows if row["id"] not in made]
    findings.check(f"{len(rows)} payouts, each one that was answered, all of them paid", wrong)
    sent = {one["id"]: one["amount"] for one in transfers}
    findings.check(
        f"{len(transfers)} transfers at Stripe, one of its amount for each payout",
        [f"{group} was sent {count} times" for group, count in by_payout.items() if count != 1]
        + [
            f"{row['id']}: {row['amount_minor']} and {sent.get(row['transfer_ref'])} at Stripe"
            for row in rows
            if sent.get(row["transfer_ref"]) != row["amount_minor"]
        ],
    )
