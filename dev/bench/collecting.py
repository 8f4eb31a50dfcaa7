"""Invoices that wait: charged and paid through their own runs and their payments', against bare children.

Every invoice has a run, and its payment another one. The bare children write the same rows in as many transactions and
ask the same sandbox, but read and decide nothing (`dev.bench.bare_invoice`).
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg
import httpx2
from temporalio.client import Client

from contracts.runs import invoice_run
from dev.bench.bare_invoice import Bare, BareInvoice
from dev.bench.books import Server
from dev.bench.client import Connection
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from domain.billing.invoice.collection import Collection, CollectionMethod
from domain.billing.invoice.lines import InvoiceLine
from domain.common.access import Actor, Role
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import Settings
from runtime.temporal import connect
from services.billing import invoice, invoice_collection

SIZES = tuple(int(size) for size in os.environ.get("BENCH_WAITING", "50,200").split(","))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1"))
#: How many runs are started at once.
STARTERS = 20
AMOUNT_MINOR = 4_000
OPERATOR = Actor(principal="bench", role=Role.OPERATOR)
NUMBERS = count(1)
PAID = "SELECT count(*) FROM invoice_collections WHERE status = 'paid' AND invoice_id = ANY($1)"
#: Which rows a charged invoice has left, by the transaction that wrote them: the step, the table, and which of them.
LEFT = (
    ("announced", "invoice_collection_events", "invoice_id = $1 AND kind = 'announced'"),
    ("announced", "mails", "key = 'invoice:' || $1 || ':issued'"),
    ("charging", "invoice_collection_events", "invoice_id = $1 AND kind = 'charging'"),
    ("asked", "payment_commands", "payment_id = $2"),
    ("created", "payments", "id = $2"),
    ("created", "payment_events", "payment_id = $2 AND number = 1"),
    ("submitted", "payment_events", "payment_id = $2 AND number = 2"),
    ("received", "payment_events", "payment_id = $2 AND number > 2"),
    ("received", "payment_movements", "payment_id = $2"),
    ("received", "invoice_payments", "invoice_id = $1"),
    ("paid", "invoice_collection_events", "invoice_id = $1 AND kind = 'paid'"),
)


class Debtor:
    """An organization that has stored a card, and its invoices."""

    def __init__(self, world: World, database: Database, temporal: Client) -> None:
        """Take where it lives; `open` makes it."""
        self.world, self._database, self._temporal = world, database, temporal
        self.org_id, self._customer = "", ""

    async def open(self) -> "Debtor":
        """Make it, and have it store a card at the sandbox of Stripe."""
        dev, keys = self.world.stack.sandboxes.dev, self.world.keys
        connection = Connection("127.0.0.1", self.world.port)

        async def post(path: str, key: str, body: dict[str, object]) -> dict[str, Any]:
            return await connection.post(f"/api/v1{path}", key, f"bench-debtor-{next(NUMBERS)}", body)

        self.org_id = (await post("/organizations", keys["operator"], {"name": "Debtor"}))["id"]
        body: dict[str, object] = {"organization_id": self.org_id, "principal": "owner", "role": "owner"}
        owner = (await post("/api-keys", keys["operator"], body))["secret"]
        await post("/billing/customer", owner, {})
        setup = (await post("/billing/setup-intent", owner, {}))["client_secret"]
        form = {"client_secret": setup, "payment_method": "pm_card_visa", "return_url": "https://example.com"}
        async with httpx2.AsyncClient(trust_env=False, base_url=str(dev["stripe_api_base"])) as stripe:
            path = f"/v1/setup_intents/{setup.partition('_secret_')[0]}/confirm"
            (await stripe.post(path, data=form, auth=("pk_test_sandbox", ""))).raise_for_status()
            async with httpx2.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {owner}"}) as ours:
                methods = (await ours.get(f"{self.world.api_url}/billing/payment-methods")).json()["data"]
                default = f"{self.world.api_url}/billing/payment-methods/{methods[0]['id']}/default"
                (await ours.put(default)).raise_for_status()
        connection.close()
        return self

    async def owes(self, number: int) -> list[Collection]:
        """Issue `number` invoices that are due for a charge now."""
        found = []
        for _ in range(number):
            command_id, now = new_id("cmd"), datetime.now(UTC)
            async with self._database.platform() as session:
                row = await invoice.issue(
                    session,
                    OPERATOR,
                    org_id=self.org_id,
                    currency="USD",
                    lines=[InvoiceLine(description="Support", quantity=1, unit_minor=AMOUNT_MINOR)],
                    note=None,
                    due_in=timedelta(days=30),
                    command_id=command_id,
                    now=now,
                )
                method = CollectionMethod.CHARGE_AUTOMATICALLY
                held = await invoice_collection.begin(
                    session, OPERATOR, row, method, days=(3, 7), command_id=command_id, now=now
                )
            assert held is not None
            found.append(held)
        return found

    async def ours(self, size: int) -> tuple[float, list[Collection]]:
        """Charge invoices by their workflows and return the number paid per second."""
        owed = await self.owes(size)
        ids, waiting, began = [each.invoice_id for each in owed], iter(owed), time.monotonic()

        async def start() -> None:
            for each in waiting:
                await reach.start_missing(self._temporal, invoice_run(each))

        connection = await asyncpg.connect(self.world.database_url)
        await asyncio.gather(*(start() for _ in range(STARTERS)))
        while True:
            if await connection.fetchval(PAID, ids) == size:
                break
            await asyncio.sleep(0.01)
        rate = size / (time.monotonic() - began)
        await connection.close()
        return rate, owed

    async def bare(self, client: Client, size: int) -> float:
        """Charge as many by bare child workflows."""
        owed = await self.owes(size)
        waiting, began = iter(owed), time.monotonic()

        async def start() -> list[Any]:
            handles = []
            for each in waiting:
                one = Bare(each.invoice_id, new_id("pay"), self.org_id, AMOUNT_MINOR)
                name = f"bare-invoice-{each.invoice_id}"
                handles.append(await client.start_workflow(BareInvoice.run, one, id=name, task_queue="bare-invoices"))
            return handles

        started = await asyncio.gather(*(start() for _ in range(STARTERS)))
        await asyncio.gather(*(handle.result() for handles in started for handle in handles))
        return size / (time.monotonic() - began)


async def _templates(world: World, paid: Collection) -> dict[str, Any]:
    """Return what a charged invoice has left, and how its charge was asked for."""
    dev = world.stack.sandboxes.dev
    connection = await asyncpg.connect(world.database_url)
    payment_id = await connection.fetchval(
        "SELECT state->>'payment_id' FROM invoice_collections WHERE invoice_id = $1", paid.invoice_id
    )
    steps: dict[str, list[tuple[str, str]]] = {}
    for step, table, which in LEFT:
        which = f"{which} AND $2::text IS NOT NULL AND $1::text IS NOT NULL"
        query = f"SELECT to_jsonb(t) FROM {table} t WHERE {which}"
        steps.setdefault(step, []).extend(
            (table, row[0]) for row in await connection.fetch(query, paid.invoice_id, payment_id)
        )
    ref = await connection.fetchval("SELECT provider_ref FROM payments WHERE id = $1", payment_id)
    charge = await connection.fetchval("SELECT key FROM payment_movements WHERE payment_id = $1", payment_id)
    mail_id = await connection.fetchval("SELECT id FROM mails WHERE key = $1", f"invoice:{paid.invoice_id}:issued")
    await connection.close()
    headers = {"Authorization": f"Bearer {dev['stripe_api_key']}"}
    async with httpx2.AsyncClient(trust_env=False, base_url=str(dev["stripe_api_base"]), headers=headers) as stripe:
        made = (await stripe.get(f"/v1/payment_intents/{ref}")).json()
    form = {
        "amount": str(made["amount"]),
        "currency": made["currency"],
        "customer": made["customer"],
        "payment_method": made["payment_method"],
        "description": made["description"],
        "confirm": "true",
        "off_session": "true",
        "expand[0]": "latest_charge.balance_transaction",
    }
    return {
        "invoice_id": paid.invoice_id,
        "payment_id": payment_id,
        "ref": ref,
        "charge": charge,
        "mail_id": mail_id,
        "steps": steps,
        "form": form,
        "stripe": str(dev["stripe_api_base"]),
        "key": str(dev["stripe_api_key"]),
    }


async def run(world: World) -> list[BenchRow]:
    """Measure both in turn, at each size."""
    server = Server.of(world)
    database = Database(server.url("bursar_api", "bursar"), server.url("bursar_platform", "bursar"))
    temporal = await connect(Settings(temporal_address=world.temporal_address))
    plain = await Client.connect(world.temporal_address)
    debtor = await Debtor(world, database, temporal).open()
    _, [first, *_] = await debtor.ours(20)
    templates = world.data_dir / "templates.json"
    templates.write_text(json.dumps(await _templates(world, first)))
    arguments = ("-m", "dev.bench.bare_invoice", world.temporal_address, world.database_url, str(templates))
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    rows: list[BenchRow] = []
    try:
        await debtor.bare(plain, 20)
        for size in SIZES:

            async def ours(size: int = size) -> float:
                return (await debtor.ours(size))[0]

            async def bare(size: int = size) -> float:
                return await debtor.bare(plain, size)

            rate, baseline = await alternate(ours, bare, ROUNDS)
            rows.append(
                BenchRow(
                    name=f"{size:,} invoices that wait, due to charged and paid",
                    value=rate,
                    unit="invoices/s",
                    against="bare children of the same rows",
                    baseline=baseline,
                    target=0.5,
                )
            )
    finally:
        worker.terminate()
        await worker.wait()
        await database.close()
    return rows
