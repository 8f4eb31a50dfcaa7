"""Collection of invoices on the stage: started by the API, and checked in the books and mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from temporalio.client import WorkflowHandle

from contracts.billing.invoice import ChargeInvoice, InvoiceResult, InvoiceSignal
from contracts.runs import Run, invoice_news, invoice_run
from domain.billing.invoice.collection import Collection, CollectionMethod
from domain.billing.invoice.lines import InvoiceLine
from domain.common.access import Actor, Role
from domain.payments.payment.terms import Purpose, PurposeKind
from models.billing.invoice import InvoiceRow
from models.billing.invoice_collection import InvoiceCollectionEventRow
from models.payments.customer import ProviderCustomer
from models.tenants.organization import Organization
from repositories.billing import invoice as invoices, invoice_collection as collections
from repositories.payments import payment as payments
from runtime import reach
from runtime.identity import new_id
from services.billing import invoice as service, invoice_collection, invoice_end
from tests.support.looking import again
from tests.support.payments import Account
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment

OPERATOR = Actor(principal="kim", role=Role.OPERATOR)


@dataclass
class InvoiceDriver:
    """An invoice that is in the books and collected."""

    stage: Stage
    held: Collection
    actor: Actor

    @property
    def run(self) -> Run:
        return invoice_run(self.held)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(self.run.workflow_id, result_type=InvoiceResult)

    async def begin(self) -> None:
        await reach.start_missing(self.stage.client, self.run)

    async def reaches(self, status: str, *, step: int = 0) -> Collection:
        """Return the state once it has this status, after at least `step` steps of dunning."""
        await self.begin()
        while (state := await self.state()).status != status or state.steps < step:
            await again()
        # The books are ahead of the run until its task has ended.
        while await self.handle.query("version") < (await self.state()).version:
            await again()
        return state

    async def reaches_event(self, kind: str) -> Collection:
        """Begin, and return the state once the books have an event of this kind."""
        await self.begin()
        while kind not in await self.kinds():
            pass
        return await self.state()

    async def waits(self) -> None:
        """Begin, and return when the run waits for the time of a step."""
        await self.begin()
        while not (await self.state()).announced:
            await again()
        while await self.handle.query("version") < (await self.state()).version:
            await again()

    async def void_elsewhere(self) -> None:
        """Void it as the API does, without a signal to the run."""
        async with self.stage.database.platform() as session:
            await invoice_end.void(session, self.actor, self.held.invoice_id, new_id("cmd"), datetime.now(UTC))

    async def ends(self) -> str:
        return str((await self.handle.result()).status)

    async def pass_time(self, **amount: float) -> None:
        await self.stage.env.fast_forward(self.handle, timedelta(**amount))

    async def signal(self, name: str, **fields: object) -> None:
        await reach.signal(self.stage.client, self.run, name, InvoiceSignal(operator="kim", **fields))

    async def signal_change(self) -> None:
        """Signal the run that its invoice has changed, as the API does."""
        run, name, news = invoice_news(self.held)
        await reach.signal(self.stage.client, run, name, news)

    async def charge(self) -> InvoiceResult:
        command = ChargeInvoice(command_id=new_id("cmd"), actor=self.actor)
        return await reach.update(
            self.stage.client, self.run, "charge", command, update_id=new_id("upd"), result_type=InvoiceResult
        )

    async def state(self) -> Collection:
        async with self.stage.database.platform() as session:
            row = await collections.get(session, self.held.invoice_id)
            assert row is not None
            assert row.status == row.state["status"]
            return collections.state_of(row)

    async def invoice(self) -> InvoiceRow:
        async with self.stage.database.platform() as session:
            return await invoices.get(session, self.held.invoice_id)

    async def timeline(self) -> Sequence[InvoiceCollectionEventRow]:
        async with self.stage.database.platform() as session:
            return await collections.timeline(session, self.held.invoice_id)

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.timeline()]

    async def refused(self, count: int = 1) -> list[str]:
        """Return the codes of the refused signals, once there are at least `count`."""
        while True:
            codes = [str(event.details["code"]) for event in await self.timeline() if event.kind == "command_refused"]
            if len(codes) >= count:
                return codes
            await again()

    async def mails(self) -> list[str]:
        async with self.stage.database.platform() as session:
            query = "SELECT kind FROM mails WHERE org_id = :org_id ORDER BY id"
            return list(await session.scalars(text(query), {"org_id": self.held.org_id}))

    async def alerts(self) -> list[str]:
        async with self.stage.database.platform() as session:
            query = "SELECT kind FROM alerts WHERE subject = :id AND acknowledged_at IS NULL"
            return list(await session.scalars(text(query), {"id": self.held.invoice_id}))

    async def paying(self, **changes: Any) -> PaymentDriver:
        """Begin a payment by the organization itself, on a page unless the changes say otherwise."""
        purpose = Purpose(
            kind=PurposeKind.INVOICE, goods_asset="USD", goods_minor=25_000, invoice_id=self.held.invoice_id
        )
        made = await new_payment(self.stage, org_id=self.held.org_id, purpose=purpose, amount_minor=25_000, **changes)
        await made.create()
        return made

    def store(self, *methods: str) -> None:
        """Store these payment methods of the organization; the first one is the default."""
        self.stage.methods.of[self.held.org_id] = list(methods)

    def charges(self) -> list[Account]:
        """Return the payments at the provider, in order."""
        return [each for each in self.stage.fake.accounts.values() if each.asked.org_id == self.held.org_id]


async def collected(
    stage: Stage,
    *methods: str,
    method: str = "charge_automatically",
    days: Sequence[int] = (3, 7),
    due_in: timedelta = timedelta(days=1),
    minor: int = 25_000,
) -> InvoiceDriver:
    """Issue an invoice to a new organization that has stored these methods, and have it collected."""
    org, now = new_id("org"), datetime.now(UTC)
    stage.methods.of[org] = list(methods)
    async with stage.database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
        await session.execute(insert(ProviderCustomer).values(org_id=org, provider="stripe", customer_ref=org))
        held = await issued(session, org, now, method=method, days=days, due_in=due_in, minor=minor)
    return InvoiceDriver(stage, held, OPERATOR)


async def issued(
    session: Any, org: str, now: datetime, *, method: str, days: Sequence[int], due_in: timedelta, minor: int
) -> Collection:
    command_id = new_id("cmd")
    row = await service.issue(
        session,
        OPERATOR,
        org_id=org,
        currency="USD",
        lines=[InvoiceLine(description="Support", quantity=1, unit_minor=minor)],
        note=None,
        due_in=due_in,
        command_id=command_id,
        now=now,
    )
    held = await invoice_collection.begin(
        session, OPERATOR, row, CollectionMethod(method), days=days, command_id=command_id, now=now
    )
    assert held is not None
    return held


async def payment_of(made: InvoiceDriver) -> PaymentDriver:
    """Return the payment that is under way."""
    payment_id = (await made.state()).payment_id
    assert payment_id is not None
    while True:
        async with made.stage.database.platform() as session:
            row = await payments.get(session, payment_id)
        if row is not None:
            return PaymentDriver(made.stage, payments.state_of(row).terms, "news")
        await again()


async def charged_back(made: InvoiceDriver) -> str:
    """Charge back the payment that paid the invoice."""
    paid = await payment_of(made)
    dispute = paid.there.dispute()
    await paid.refreshed()
    return dispute
