"""One run of cards: merchants ask, capture and give up while the database, the worker and the API are killed.

In the end each authorization that Stripe has approved and that is not over has its credits held, none that is over or
declined holds any, and every capture is in the books once.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.load import Load, all_at_stripe, give, organization, stripe_of, under_kills
from tests.faults.run import Say

#: What an answer and the events after it pass through; Stripe itself stays, and asks in vain.
PARTS = ("postgres", "temporal", "worker", "server")
CREDITS, FUNDS = "5000.00", 10_000_000
#: How long the last events may take once everything is back.
END_SECONDS = 300.0
_AUTHORIZATIONS = "/v1/test_helpers/issuing/authorizations"
#: What a merchant does after it was approved, in turn; the empty one leaves it open.
_AFTER: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("capture", {}),
    ("capture", {"capture_amount": "150", "close_authorization": "false"}),
    ("", {}),
    ("reverse", {}),
    ("capture", {"capture_amount": "900"}),
    ("expire", {}),
)


@dataclass(frozen=True)
class CardSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    authorizations: int = 120
    kills: int = 3
    parts: tuple[str, ...] = PARTS


def described(setup: CardSetup) -> str:
    """Say what a run does."""
    return f"{setup.authorizations} authorizations of cards; {', '.join(setup.parts)} killed {setup.kills} times each"


async def run_cards(setup: CardSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings = Findings()
    operator, stripe = RetryingClient(stack.api_url, f"{setup.seed} cards", Journal()), stripe_of(stack)
    card, owner = await _card(operator, stack, stripe)
    say("  a card, and credits that were paid for")

    async def pay(client: RetryingClient, journal: Journal, number: int) -> None:
        # Uses of the same credits, which wait for the same balance.
        use = Request(owner, "/credits/use", {"action": "api_call", "amount": "1"}, f"use beside cards {number}")
        await client.command(use, twice=number % 4 == 0)
        asked = {"card": card, "amount": str(200 + number), "merchant_data[name]": "Corner Shop"}
        made = (await stripe.post(_AUTHORIZATIONS, data=asked)).json()
        after, more = _AFTER[number % len(_AFTER)]
        if made.get("approved") and after:
            done = await stripe.post(f"{_AUTHORIZATIONS}/{made['id']}/{after}", data=dict(more))
            if done.status_code != 200:
                journal.wrong.append(f"{number}: {done.text[:200]}")
        elif "approved" not in made:
            journal.wrong.append(f"{number}: {str(made)[:200]}")

    load = Load(seed=setup.seed, what="cards", count=setup.authorizations, kills=setup.kills, parts=setup.parts)
    journal = await under_kills(load, say, stack, findings, pay)
    findings.check(f"{setup.authorizations} authorizations were asked for", journal.wrong)
    await _count(findings, stack, stripe, card)
    await operator.close()
    await stripe.aclose()
    await prove(findings, stack)
    return findings


async def _card(operator: RetryingClient, stack: Stack, stripe: httpx2.AsyncClient) -> tuple[str, str]:
    """Make an organization with an agent and a card, and return the card's id at Stripe, and its owner's key."""
    org_id, owner = await organization(operator, stack, "Holder of cards")
    agent = (await give(operator, owner, "/agents", {"name": "Buyer"}, "buyer"))["id"]
    address = {"legal_name": "Acme", "line1": "Ring 1", "city": "Vienna", "postal_code": "1010", "country": "AT"}
    await operator.put(owner, "/billing/profile", address)
    wish = {"amount": CREDITS, "provider": "stripe", "payment_method": "pm_card_bypassPending"}
    paid = await give(operator, owner, "/billing/topup", wish, "top up of cards")
    deadline = time.monotonic() + END_SECONDS
    while (await operator.ask(owner, f"/payments/{paid['payment_id']}"))["status"] != "succeeded":
        if time.monotonic() > deadline:
            raise NoResponse(f"the top-up of {org_id} did not succeed")
        await asyncio.sleep(0.5)
    await stripe.post("/_control/issuing/fund", json={"amount": FUNDS})
    body = {"agent_id": agent, "name": "Travel", "currency": "USD", "per_month": "100000"}
    return (await give(operator, owner, "/cards", body, "card"))["card_ref"], owner


_BOOKED = """
SELECT a.ref, a.status, coalesce(sum(c.amount_minor) FILTER (WHERE s.status = 'reserved'), 0)::bigint AS held,
    coalesce(sum(c.captured_minor), 0)::bigint AS captured
FROM card_authorizations a LEFT JOIN card_spends c ON c.authorization_id = a.id
LEFT JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
GROUP BY a.ref, a.status
"""


async def _count(findings: Findings, stack: Stack, stripe: httpx2.AsyncClient, card: str) -> None:
    """Wait until the books have what Stripe has, and say what differs."""
    wrong, found = ["nothing was compared"], list[dict[str, Any]]()
    deadline = time.monotonic() + END_SECONDS
    while wrong and time.monotonic() < deadline:
        with suppress(httpx2.TransportError, asyncpg.PostgresError, OSError):
            found = await all_at_stripe(stripe, "/v1/issuing/authorizations", card=card)
            wrong = await _differences(stack, found)
        await asyncio.sleep(1)
    approved = sum(each["approved"] for each in found)
    findings.check(f"{approved} of {len(found)} authorizations approved, each held, captured and released once", wrong)
    findings.check("some were approved", [] if approved else ["none"])


async def _differences(stack: Stack, found: list[dict[str, Any]]) -> list[str]:
    async with books(stack) as connection:
        booked = {row["ref"]: row for row in await connection.fetch(_BOOKED)}
    wrong = []
    for each in found:
        row, captured = booked.get(each["id"]), sum(-line["amount"] for line in each["transactions"])
        is_open = each["approved"] and each["status"] == "pending"
        if row is None:
            wrong.append(f"{each['id']} is not in the books")
        elif row["captured"] != captured:
            wrong.append(f"{each['id']}: {captured} captured, {row['captured']} in the books")
        elif (row["held"] > 0) != is_open or (row["status"] == "pending") != is_open:
            wrong.append(f"{each['id']} is {each['status']}, {row['status']} in the books, which hold {row['held']}")
    return wrong
