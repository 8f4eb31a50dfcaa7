"""One run of invoices that wait: charged, declined and charged again, while every part is killed and answers are lost.

In the end each invoice is paid once, by one charge at the provider, and numbers have no gap.
"""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import httpx2
from temporalio.client import Client
from temporalio.service import RPCError

from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, RetryingClient
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

#: What a charge passes through.
PARTS = ("postgres", "temporal", "worker", "server", "stripe")
AMOUNT, AMOUNT_MINOR, CLIENTS = "40.00", 4_000, 6
#: How long an invoice may take: the sweep leaves one alone for two minutes.
END_SECONDS = 240.0
#: How many organizations share the invoices that are paid at once, and every which one is declined first.
PAYERS, DECLINED_ONE_IN = 4, 4
GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


@dataclass(frozen=True)
class CollectingSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    invoices: int = 60
    kills: int = 3
    parts: tuple[str, ...] = PARTS


def described(setup: CollectingSetup) -> str:
    """Say what a run does."""
    return (
        f"{setup.invoices} invoices are charged, one in {DECLINED_ONE_IN} declined first; {', '.join(setup.parts)} "
        f"killed {setup.kills} times each, answers of Stripe lost"
    )


@dataclass(frozen=True)
class Debtor:
    """An organization with a stored card."""

    org_id: str
    owner: str


class Cashier:
    """Creates invoices and stores cards, and waits for the invoices' outcomes."""

    def __init__(self, stack: Stack, stripe: httpx2.AsyncClient, temporal: Client) -> None:
        self._operator = stack.seed.keys["operator"]
        self._stack, self._stripe, self._temporal = stack, stripe, temporal

    async def debtor(self, client: RetryingClient, name: str, card: str) -> Debtor:
        """Make an organization that has stored a card."""
        org_id, owner = await organization(client, self._stack, name)
        await give(client, owner, "/billing/customer", {}, f"{name} customer")
        made = Debtor(org_id, owner)
        await self.store(client, made, card)
        return made

    async def store(self, client: RetryingClient, debtor: Debtor, card: str) -> None:
        """Store a card as its payer does, and make it the default."""
        setup = await give(client, debtor.owner, "/billing/setup-intent", {}, f"{debtor.org_id} {card}")
        secret = setup["client_secret"]
        form = {"client_secret": secret, "payment_method": card, "return_url": "https://example.com"}
        path, deadline = f"/v1/setup_intents/{secret.partition('_secret_')[0]}/confirm", time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            # The sandbox may be down itself.
            with suppress(httpx2.TransportError):
                answer = await self._stripe.post(path, data=form, auth=("pk_test_sandbox", ""))
                if answer.status_code == 200 or "unexpected_state" in answer.text:
                    break
            await asyncio.sleep(0.2)
        method = (await client.ask(debtor.owner, "/billing/payment-methods"))["data"][0]["id"]
        await client.put(debtor.owner, f"/billing/payment-methods/{method}/default")

    async def issue(self, client: RetryingClient, debtor: Debtor, key: str, *, twice: bool) -> str:
        """Create an invoice that is charged automatically."""
        body = {
            "organization_id": debtor.org_id,
            "currency": "USD",
            "collection_method": "charge_automatically",
            "lines": [{"description": "Support", "unit_amount": AMOUNT}],
        }
        made = await give(client, self._operator, "/billing/invoices", body, f"collecting {key}", twice=twice)
        return str(made["id"])

    async def charge(self, client: RetryingClient, invoice_id: str) -> None:
        """Charge the invoice now."""
        path = f"/billing/invoices/{invoice_id}/charge"
        await give(client, self._operator, path, {}, f"{invoice_id} again")

    async def until(self, client: RetryingClient, debtor: Debtor, invoice_id: str, status: str, steps: int) -> None:
        """Wait until its collection stands there."""
        deadline = time.monotonic() + END_SECONDS
        path = f"/billing/invoices/{invoice_id}/collection"
        while True:
            seen = await client.ask(debtor.owner, path)
            if (seen["status"], seen["dunning_steps"]) == (status, steps):
                return
            if time.monotonic() > deadline:
                raise NoResponse(f"{invoice_id} is {seen['status']} after {seen['attempts']} charges, not {status}")
            await self._sweep()
            await asyncio.sleep(0.5)

    async def _sweep(self) -> None:
        """Give a run to what has lost its own, and news to what has not heard them; the schedules take minutes."""
        for name in ("invoice-sweep", "payment-sweep"):
            with suppress(RPCError):
                await self._temporal.get_schedule_handle(name).trigger()


async def run_collecting(setup: CollectingSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings, stripe, made = Findings(), stripe_of(stack), dict[str, bool]()
    cashier = Cashier(stack, stripe, await Client.connect(stack.temporal.address, namespace=NAMESPACE))
    first = RetryingClient(stack.api_url, f"{setup.seed} collecting", Journal())
    payers = [await cashier.debtor(first, f"Payer {number}", GOOD) for number in range(PAYERS)]
    doubtful = {
        number: await cashier.debtor(first, f"Doubtful {number}", BAD)
        for number in range(0, setup.invoices, DECLINED_ONE_IN)
    }
    await first.close()
    say(f"  {len(payers)} organizations with a good card, {len(doubtful)} with one that is declined")

    async def live(client: RetryingClient, _: Journal, number: int) -> None:
        debtor, declined = doubtful.get(number), number in doubtful
        debtor = debtor or payers[number % len(payers)]
        await lose_one_answer(stripe, "/v1/payment_intents", number)
        invoice_id = await cashier.issue(client, debtor, f"invoice {number}", twice=number % 5 == 0)
        made[invoice_id] = declined
        if declined:
            await cashier.until(client, debtor, invoice_id, "scheduled", 1)
            await cashier.store(client, debtor, GOOD)
            await cashier.charge(client, invoice_id)
        await cashier.until(client, debtor, invoice_id, "paid", int(declined))

    load = Load(
        seed=setup.seed,
        what="invoices",
        count=setup.invoices,
        kills=setup.kills,
        parts=setup.parts,
        clients=CLIENTS,
    )
    journal = await under_kills(load, say, stack, findings, live)
    findings.check(f"{len(made)} invoices collected as planned", journal.wrong)
    await _count(findings, stack, stripe, made)
    await stripe.aclose()
    await prove(findings, stack)
    return findings


async def _count(findings: Findings, stack: Stack, stripe: httpx2.AsyncClient, made: dict[str, bool]) -> None:
    """Compare invoices, their payments and the provider's charges."""
    async with books(stack) as connection:
        rows = await connection.fetch("SELECT id, status, paid_minor FROM invoices WHERE id = ANY($1)", list(made))
        numbers = await connection.fetch("SELECT number FROM invoices WHERE series = 'invoice' AND status <> 'draft'")
        parts = await connection.fetch("SELECT invoice_id FROM invoice_payments WHERE invoice_id = ANY($1)", list(made))
        payments = await connection.fetch(
            """
            SELECT id, state->'terms'->'purpose'->>'invoice_id' AS invoice_id FROM payments
            WHERE state->'terms'->'purpose'->>'invoice_id' = ANY($1)
            """,
            list(made),
        )
        mails = await connection.fetch(
            "SELECT m.key FROM mails m WHERE m.kind = 'payment_failed' AND m.key LIKE 'invoice:%'"
        )
    by = Counter(row["invoice_id"] for row in parts)
    findings.check(
        f"{len(made)} invoices, each paid once",
        [
            f"{row['id']} is {row['status']}, {row['paid_minor']} paid by {by[row['id']]}"
            for row in rows
            if (row["status"], row["paid_minor"], by[row["id"]]) != ("paid", AMOUNT_MINOR, 1)
        ]
        + [f"{each} is not there" for each in made.keys() - {row["id"] for row in rows}],
    )
    given = sorted(int(row["number"].removeprefix("INV-")) for row in numbers if row["number"])
    gaps = [f"{len(numbers)} invoices, numbers {given[:3]} to {given[-3:]}"]
    findings.check(f"{len(given)} numbers without a gap", [] if given == list(range(1, len(numbers) + 1)) else gaps)
    of = {row["id"]: row["invoice_id"] for row in payments}
    charged = Counter(
        of[intent["metadata"]["payment_id"]]
        for intent in await all_at_stripe(stripe, "/v1/payment_intents")
        if intent["status"] == "succeeded" and intent["metadata"].get("payment_id") in of
    )
    findings.check(
        f"{sum(charged.values())} charges at Stripe, one for each invoice",
        [f"{each} was charged {charged[each]} times" for each in made if charged[each] != 1],
    )
    told = Counter(row["key"].split(":")[1] for row in mails)
    findings.check(
        f"{sum(made.values())} declines were told once each",
        [f"{each}: {told[each]} mails" for each, declined in made.items() if told[each] != int(declined)],
    )
