"""The baseline of invoices that wait: children that write the same rows and ask the same provider, and decide nothing.

`python -m dev.bench.bare_invoice ADDRESS DATABASE TEMPLATES` runs their worker, a process of its own as the product's
is. The templates are rows that a charged invoice has left, by the transaction that wrote them.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import asyncpg
    import httpx2

    from domain.common import accounts
    from ledger.gateway import Ledger

SOON = timedelta(hours=1)


@dataclass(frozen=True)
class Bare:
    """An invoice to be paid: its ids, and whose it is."""

    invoice_id: str
    payment_id: str
    org_id: str
    amount_minor: int


@dataclass(frozen=True)
class Writing:
    """A transaction: invoice and the templates to post for it."""

    of: Bare
    step: str


class BareActivities:
    """Write templates, and ask the provider."""

    def __init__(self, database_url: str, templates: dict[str, Any], client: Client) -> None:
        """Take the database, what is written, and the client that starts children."""
        self._url, self._templates, self._client = database_url, templates, client
        # The ledger's gateway remembers what a connection has prepared, and a pool hands out a new object each time.
        self._idle: list[asyncpg.Connection] = []
        self._http = httpx2.AsyncClient(trust_env=False, timeout=60, base_url=templates["stripe"])

    @activity.defn
    async def write(self, message: Writing) -> None:
        """Write the rows of a step in one transaction."""
        of, known = message.of, self._templates
        connection = self._idle.pop() if self._idle else await asyncpg.connect(self._url)
        async with connection.transaction():
            if message.step in {"announced", "charging", "paid"}:
                query = "SELECT state FROM invoice_collections WHERE invoice_id = $1 FOR UPDATE"
                state = await connection.fetchval(query, of.invoice_id)
                query = "UPDATE invoice_collections SET version = version + 1, state = $2 WHERE invoice_id = $1"
                await connection.execute(query, of.invoice_id, state)
            if message.step == "received":
                await self._post(connection, of)
            for table, template in known["steps"][message.step]:
                row = template
                for old, new in (
                    (known["invoice_id"], of.invoice_id),
                    (known["payment_id"], of.payment_id),
                    (known["ref"], f"ref_{of.payment_id}"),
                    (known["charge"], f"txn_{of.payment_id}"),
                    (known["mail_id"], of.invoice_id.replace("inv_", "mail_")),
                ):
                    row = row.replace(old, new)
                await connection.execute(
                    f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $1)",
                    row,
                )
        self._idle.append(connection)

    async def _post(self, connection: Any, of: Bare) -> None:
        ledger, now = Ledger(connection), datetime.now(UTC)
        own = accounts.payment(of.payment_id, "USD", of.org_id)
        steps = (
            ("received", accounts.provider_clearing("stripe", "USD"), own),
            ("invoice_paid", own, accounts.org_receivable(of.org_id, "USD")),
        )
        for kind, source, destination in steps:
            await ledger.post(
                key=f"bench:{of.payment_id}:{kind}",
                kind=f"payment.{kind}",
                source=source,
                destination=destination,
                amount_minor=of.amount_minor,
                effective_at=now,
                org_id=of.org_id,
            )
        query = "UPDATE invoices SET status = 'paid', paid_minor = total_minor WHERE id = $1"
        await connection.execute(query, of.invoice_id)

    @activity.defn
    async def submit(self, of: Bare) -> None:
        """Charge the stored method at the provider."""
        known = self._templates
        headers = {"Authorization": f"Bearer {known['key']}", "Idempotency-Key": of.payment_id}
        form = known["form"] | {"metadata[payment_id]": of.payment_id}
        (await self._http.post("/v1/payment_intents", data=form, headers=headers)).raise_for_status()

    @activity.defn
    async def order(self, of: Bare) -> None:
        """Start the child that pays and wait for it."""
        await self.write(Writing(of, "asked"))
        await self._client.execute_workflow(
            BarePayment.run, of, id=f"bare-payment-{of.payment_id}", task_queue="bare-invoices"
        )


@workflow.defn
class BarePayment:
    """Writes what a payment writes, and charges."""

    @workflow.run
    async def run(self, of: Bare) -> None:
        """Write, charge, write."""
        await _write(of, "created")
        await workflow.execute_activity_method(BareActivities.submit, of, start_to_close_timeout=SOON)
        await _write(of, "submitted")
        await _write(of, "received")


@workflow.defn
class BareInvoice:
    """Writes what an invoice's run writes, and has it paid."""

    @workflow.run
    async def run(self, of: Bare) -> None:
        """Write, have it paid, write."""
        await _write(of, "announced")
        await _write(of, "charging")
        await workflow.execute_activity_method(BareActivities.order, of, start_to_close_timeout=SOON)
        await _write(of, "paid")


async def _write(of: Bare, step: str) -> None:
    await workflow.execute_local_activity_method(BareActivities.write, Writing(of, step), start_to_close_timeout=SOON)


async def main(address: str, database_url: str, known: dict[str, Any]) -> None:
    """Work until the process is ended."""
    client = await Client.connect(address)
    work = BareActivities(database_url, known, client)
    await Worker(
        client,
        task_queue="bare-invoices",
        workflows=[BareInvoice, BarePayment],
        activities=[work.write, work.submit, work.order],
        max_concurrent_local_activities=20,
        # Each that waits for a child holds a slot that the child's own may need.
        max_concurrent_activities=1_000,
    ).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(Path(sys.argv[3]).read_text())))
