"""Reconciliation on books of a test's own: a provider, and the activities as the command line calls them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from temporalio.client import Client

from activities.books.reconciliation import ReconciliationActivities
from contracts.books.reconciliation import (
    BeginReconciliation,
    ReconciliationInput,
    ReconciliationResult,
    ReconciliationStep,
)
from contracts.payments.payment import PaymentEvent
from domain.books.reconciliation import Window
from domain.common.access import Actor, Role
from domain.payments.payment import commands
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from models.books.reconciliation import ReconciliationDiscrepancy, ReconciliationRun
from models.messages.alert import Alert
from models.tenants.organization import Organization
from repositories.books import discrepancy as discrepancies, reconciliation as books
from repositories.common.listing import ListFilter
from repositories.payments import payment
from runtime.database import Database
from runtime.identity import new_id
from tests.support.reconciliation import DAY, NIGHT, NOON, FakeProvider, book


@dataclass
class Reconciler:
    """One provider of a test's own, and the activities on the shared books, called as the command line calls them."""

    database: Database
    provider: FakeProvider = field(default_factory=FakeProvider)
    client: Client | None = None

    @property
    def work(self) -> ReconciliationActivities:
        return ReconciliationActivities(self.database, self.provider.registry(), self.client)

    def start(self, window: Window = DAY) -> ReconciliationInput:
        run_id = new_id("rcn")
        return ReconciliationInput(
            run_id=run_id,
            provider=self.provider.name,
            since=window.since,
            until=window.until,
            requested_by="test",
            command_id=run_id,
        )

    async def reconcile(self, window: Window = DAY, at=NIGHT) -> ReconciliationResult:
        start = self.start(window)
        await self.work.begin(BeginReconciliation(start=start, at=at))
        step = ReconciliationStep(run_id=start.run_id, at=at)
        fetched = await self.work.fetch_statement(step)
        assert fetched.refused is None
        return await self.work.conclude(step.model_copy(update={"unread": fetched.unread}))

    async def book(self, *movements: Any, payment_id: str | None = None) -> None:
        await book(self.database, self.provider.name, movements, payment_id)

    async def differences(self, status: str | None = None) -> dict[str, ReconciliationDiscrepancy]:
        async with self.database.platform() as session:
            wanted = ListFilter(
                equal={"provider": self.provider.name}, statuses=() if status is None else (status,), limit=100
            )
            found = await discrepancies.page(session, wanted)
        return {f"{row.kind}:{row.key}": row for row in found.rows}

    async def alerts(self, row: ReconciliationDiscrepancy) -> list[Alert]:
        async with self.database.platform() as session:
            return list(await session.scalars(select(Alert).where(Alert.subject == row.id).order_by(Alert.id)))

    async def run(self, run_id: str) -> ReconciliationRun:
        async with self.database.platform() as session:
            run = await books.get_run(session, run_id)
        assert run is not None
        return run

    async def payment(self) -> PaymentTerms:
        """Put a payment into the books, as far as it is when its run has ended."""
        org, payment_id = new_id("org"), new_id("pay")
        terms = PaymentTerms(
            payment_id=payment_id,
            org_id=org,
            provider=self.provider.name,
            amount_minor=1_000,
            currency="USD",
            purpose=Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1_000),
            description="d",
            created_at=NOON,
            expires_at=DAY.until,
        )
        outcome = commands.created(terms, actor=Actor(principal="test", role=Role.OWNER, org_id=org))
        event = PaymentEvent(payment=outcome.payment, event=outcome.event, actor=outcome.actor, at=NOON)
        async with self.database.platform() as session:
            await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
            await payment.write(session, event, None)
        return terms
