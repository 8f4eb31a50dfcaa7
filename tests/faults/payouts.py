"""One run of payouts: creators take out what they earned, while every part is killed and answers of Stripe are lost.

In the end each payout that the API has answered is one transfer at the provider, of its amount, and the books agree.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
from temporalio.client import Client

from dev.stack.demo import verify_books
from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from tests.faults.audit import Findings
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.killer import Killer
from tests.faults.run import Say, tell_load, tell_stalls

#: What a payout passes through.
PARTS = ("postgres", "temporal", "worker", "server", "stripe")
#: What each payout takes, in dollars, and what one sale of an agent earns its creator.
AMOUNT, PRICE, CLIENTS = "10.00", "3000.00", 4
#: How long the last payouts may take once everything is back: the sweep leaves one alone for two minutes.
END_SECONDS = 240.0
#: One call in so many is answered by a cut connection, after it had its effect.
LOST_ONE_IN = 3


@dataclass(frozen=True)
class PayoutSetup:
    """What a run is made of; the same setup draws the same kills."""

    seed: int
    payouts: int = 60
    kills: int = 3


def described(setup: PayoutSetup) -> str:
    """Say what a run does."""
    return f"{setup.payouts} payouts; {', '.join(PARTS)} killed {setup.kills} times each, answers of Stripe lost"


async def run_payouts(setup: PayoutSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; the stack has had no other payouts, because every transfer is counted."""
    findings, journal, setting_up = Findings(), Journal(), Journal()
    stripe = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{stack.ports.stripe_sandbox}", trust_env=False, timeout=10)
    operator = RetryingClient(stack.api_url, f"{setup.seed} payouts", setting_up)
    owner = await _creator(operator, stack, stripe, -(-setup.payouts * 1_000 // 270_000) + 1)
    await operator.close()
    say(f"  a creator with earnings for {setup.payouts} payouts")

    killer = Killer(stack, journal, setup.seed, setup.kills, setup.payouts, parts=PARTS)
    clients = [RetryingClient(stack.api_url, f"{setup.seed} creator {n}", journal) for n in range(CLIENTS)]
    waiting = iter(range(setup.payouts))
    made: list[str] = []
    began = time.monotonic()

    async def work(client: RetryingClient) -> None:
        for number in waiting:
            await killer.may_begin()
            try:
                request = Request(owner, "/billing/payouts", {"amount": AMOUNT, "currency": "USD"}, f"payout-{number}")
                await _lose_one_answer(stripe, number)
                answer = await client.command(request, twice=number % 4 == 0)
                if answer.status_code == 201:
                    made.append(answer.json()["id"])
                else:
                    journal.wrong.append(f"payout-{number}: {answer.status_code} {answer.text[:200]}")
            except NoResponse as error:
                journal.wrong.append(str(error))
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        group.create_task(killer.run(say))
        for client in clients:
            group.create_task(work(client))
    tell_load(say, journal, time.monotonic() - began, "payouts")
    tell_stalls(say, journal, killer.done)
    fell = sum(len(kill.parts) for kill in killer.done)
    findings.check(f"{fell} kills in {len(killer.done)} strikes", [] if fell == setup.kills * len(PARTS) else ["fewer"])
    findings.check(f"{len(made)} payouts answered as planned", journal.wrong)
    await asyncio.gather(*(client.close() for client in clients))
    await _count(findings, stack, stripe, made)
    await stripe.aclose()
    proof = await asyncio.to_thread(verify_books, stack.postgres.url(database="bursar"))
    findings.check("python -m manage verify", [] if proof.returncode == 0 else [proof.stdout[-2000:]])
    return findings


async def _lose_one_answer(stripe: httpx2.AsyncClient, number: int) -> None:
    """Have the answer to a transfer lost after it was made, now and then; the sandbox may be down itself."""
    if number % LOST_ONE_IN:
        return
    fault = {"mode": "close_after_commit", "method": "POST", "path": "/v1/transfers", "times": 1}
    try:
        await stripe.post("/_control/faults", json=fault)
    except httpx2.TransportError:
        return


async def _creator(operator: RetryingClient, stack: Stack, stripe: httpx2.AsyncClient, sales: int) -> str:
    """Make a creator with an account for payouts, sell its agent so many times for credits, and return its key."""
    token = stack.seed.keys["operator"]

    async def make(key: str, path: str, body: dict[str, Any], expected: int = 201) -> dict[str, Any]:
        response = await operator.command(Request(key, path, body, f"payout cast {path} {len(made)}"))
        made.append(path)
        if response.status_code != expected:
            raise NoResponse(f"{path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer

    async def organization(name: str) -> tuple[str, str]:
        org_id = (await make(token, "/organizations", {"name": name}))["id"]
        body = {"organization_id": org_id, "principal": "owner", "role": "owner"}
        return org_id, (await make(token, "/api-keys", body))["secret"]

    made: list[str] = []
    _, owner = await organization("Creator")
    agents = [
        (await make(owner, "/agents", {"name": f"Seller {n}", "visibility": "public"}))["id"] for n in range(sales)
    ]
    link = await make(owner, "/billing/connect", {"country": "US", "return_url": "https://example.com/earnings"}, 200)
    await stripe.get(link["onboarding_url"])
    await stripe.post(link["onboarding_url"], data={"number": "000123456789"})
    await _until(operator, owner, "/billing/connect", "status", "ready")
    for number, agent_id in enumerate(agents):
        await operator.put(
            owner, f"/marketplace/agents/{agent_id}", {"model": "one_time", "price": PRICE, "summary": "Sells."}
        )
        _, buyer = await organization(f"Buyer {number}")
        paid = await make(
            buyer,
            "/billing/topup",
            {"amount": PRICE, "provider": "stripe", "payment_method": "pm_card_bypassPending"},
        )
        await _until(operator, buyer, f"/payments/{paid['payment_id']}", "status", "succeeded")
        await make(buyer, f"/marketplace/agents/{agent_id}/purchase", {})
    return owner


async def _until(client: RetryingClient, token: str, path: str, field: str, value: str) -> None:
    deadline = time.monotonic() + END_SECONDS
    while (await client.ask(token, path))[field] != value:
        if time.monotonic() > deadline:
            raise NoResponse(f"{path} did not become {value}")
        await asyncio.sleep(0.5)


async def _count(findings: Findings, stack: Stack, stripe: httpx2.AsyncClient, made: list[str]) -> None:
    """Wait until every payout has ended, and compare them with the provider's transfers."""
    connection = await asyncpg.connect(stack.postgres.url(database="bursar"))
    temporal = await Client.connect(stack.temporal.address, namespace=NAMESPACE)
    deadline = time.monotonic() + END_SECONDS
    try:
        while time.monotonic() < deadline:
            # Gives a run to those whose server died before it started one; its own time is every five minutes.
            await temporal.get_schedule_handle("payout-sweep").trigger()
            rows = await connection.fetch("SELECT id, status, amount_minor, transfer_ref FROM payouts")
            if all(row["status"] in {"paid", "failed"} for row in rows):
                break
            await asyncio.sleep(1)
    finally:
        await connection.close()
    transfers = await _transfers(stack, stripe)
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


async def _transfers(stack: Stack, stripe: httpx2.AsyncClient) -> list[dict[str, Any]]:
    key = json.loads((stack.data_dir / "stripe" / "secrets.json").read_text())["api_key"]
    found: list[dict[str, Any]] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = (
            await stripe.get(
                "/v1/transfers", params={"limit": "100", **after}, headers={"Authorization": f"Bearer {key}"}
            )
        ).json()
        found += page["data"]
        if not page["has_more"]:
            return found
