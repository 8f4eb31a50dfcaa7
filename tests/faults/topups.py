"""An organization that spends what is bought for it, while parts are killed: each fall of its balance is paid once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from dev.stack.supervisor import Stack
from providers.payments.stripe.fields import metadata_of
from tests.faults.audit import Findings, books
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.load import give, organization, stripe_of
from tests.faults.payers import stripe_client

#: In credits: a use takes more than what lies between the threshold and what is bought, so each one makes a fall.
BELOW, BOUGHT, USED = 50, 100, 60
CREDIT = 1_000_000
#: How long a fall may take after the last kill, and how long it may stay open.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Buyer:
    """The organization, and its owner's key."""

    org_id: str
    token: str


async def open_buyer(operator: RetryingClient, stack: Stack) -> Buyer:
    """Open it with a stored card and nothing else, which is a fall already."""
    org_id, owner = await organization(operator, stack, "Buyer")
    customer = (await give(operator, owner, "/billing/customer", {}, "buyer customer"))["customer_id"]
    async with stripe_of(stack) as stripe:
        stored = await stripe.post("/v1/payment_methods/pm_card_visa/attach", data={"customer": customer})
        stored.raise_for_status()
    card = stored.json()["id"]
    wanted = {"below": str(BELOW), "credits": str(BOUGHT), "monthly_cap": "1000000", "payment_method": card}
    await operator.put(owner, "/billing/auto-topup", wanted)
    return Buyer(org_id, owner)


async def spend_until(enough: asyncio.Event, client: RetryingClient, buyer: Buyer, journal: Journal) -> None:
    """Use credits whenever there are enough. Nothing is under way any more when it has ended."""
    number = 0
    while not enough.is_set():
        try:
            left = (await client.ask(buyer.token, "/credits/balance"))["available"]
            if int(left.partition(".")[0]) >= USED:
                number += 1
                body: dict[str, object] = {"amount": str(USED)}
                await client.command(Request(buyer.token, "/credits/use", body, f"buyer {number}"))
        except NoResponse as error:
            journal.wrong.append(str(error))
        await asyncio.sleep(0.1)


async def fell_twice(stack: Stack, buyer: Buyer) -> None:
    """Wait until the balance has fallen twice; the first sweep may begin a minute after the start."""
    await _until(stack, f"SELECT count(*) > 1 FROM auto_topup_crossings WHERE org_id = '{buyer.org_id}'")


async def _until(stack: Stack, query: str) -> None:
    async with books(stack) as connection:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if await connection.fetchval(query):
                    return
                await asyncio.sleep(0.2)


async def count_topups(
    findings: Findings, stack: Stack, buyer: Buyer, journal: Journal, charged_before: Mapping[str, object]
) -> None:
    """Wait until every fall is answered; count falls, payments, charges at the provider since, and credits."""
    # Nobody spends any more: what is above the threshold now stays so.
    await _until(
        stack,
        "SELECT NOT EXISTS (SELECT FROM auto_topup_crossings WHERE outcome = 'open') AND b.posted >= "
        f"{BELOW * CREDIT} FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id "
        f"WHERE a.path = 'org/{buyer.org_id}/credits'",
    )
    async with books(stack) as connection:
        falls = await connection.fetch(
            "SELECT c.number, c.outcome, c.payment_id, p.status FROM auto_topup_crossings c"
            " LEFT JOIN payments p ON p.id = c.payment_id WHERE c.org_id = $1 ORDER BY c.number",
            buyer.org_id,
        )
        payments = await connection.fetchval("SELECT count(*) FROM payments WHERE org_id = $1", buyer.org_id)
        posted = await connection.fetchval(
            "SELECT b.posted FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.path = $1",
            f"org/{buyer.org_id}/credits",
        )
        used = await connection.fetchval("SELECT sum(captured) FROM ledger.spends WHERE org_id = $1", buyer.org_id)
    wrong = list(journal.wrong)
    wrong += [f"fall {row['number']} is {row['outcome']}" for row in falls if row["outcome"] != "succeeded"]
    wrong += [f"{payments} payments for {len(falls)} falls"] if payments != len(falls) else []
    if posted != len(falls) * BOUGHT * CREDIT - int(used or 0):
        wrong.append(f"{posted} micro-credits are left of {len(falls)} top-ups, after {used} were used")
    made: dict[str, list[str]] = {row["payment_id"]: [] for row in falls} | await intents_of(stack)
    for payment_id in made.keys() - charged_before.keys():
        if made[payment_id] != ["succeeded"]:
            wrong.append(f"{payment_id} has the intents {made[payment_id]}")
    findings.check(f"{len(falls)} automatic top-ups, each with one payment and one charge at the provider", wrong)


async def intents_of(stack: Stack) -> dict[str, list[str]]:
    """Return how every intent stands at the provider, by payment."""
    made: dict[str, list[str]] = {}
    client = stripe_client(stack.sandboxes)
    try:
        listed = await client.v1.payment_intents.list_async({"limit": 100})
        async for intent in listed.auto_paging_iter():
            made.setdefault(str(metadata_of(intent, "payment_id")), []).append(intent.status)
    finally:
        await client.aclose()
    return made
