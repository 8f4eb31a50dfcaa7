"""A worker with the inbox's workflows and a payment that only listens, and events to put into the inbox."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import insert, select
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.common.sweeps import Sweeps
from activities.payments.customer import CustomerActivities
from activities.payments.inbox import InboxActivities
from contracts.common.queues import TASK_QUEUE
from contracts.payments.payment import PaymentEvent, PaymentInput, ProviderEventInput, ProviderEventSignal
from domain.common.ids import payment_workflow_id, provider_event_workflow_id
from domain.payments.payment.snapshot import ProviderEvent
from domain.payments.payment.state import Payment, PaymentStatus
from models.payments.provider_event import ProviderEventRow
from models.tenants.organization import Organization
from providers.payments.stripe.customers import MethodView
from repositories.payments import payment, provider_event
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.support.payments import TERMS
from workflows.common.sweeps import InboxSweepWorkflow
from workflows.payments.customer import CustomerWorkflow
from workflows.payments.provider_event import ProviderEventWorkflow

NUMBERS = itertools.count(1)


@workflow.defn(name="payment", sandboxed=False)
class ListeningPayment:
    """Stands in for the payment workflow: keeps its signals, and ends on request."""

    @workflow.init
    def __init__(self, start: PaymentInput) -> None:
        self.start = start
        self.heard: list[str] = []
        self.over = False

    @workflow.run
    async def run(self, start: PaymentInput) -> None:
        await workflow.wait_condition(lambda: self.over)

    @workflow.signal(name="provider_event")
    def listen(self, signal: ProviderEventSignal) -> None:
        self.heard.append(signal.event_id)

    @workflow.signal
    def end(self) -> None:
        self.over = True

    @workflow.query
    def forwarded(self) -> list[str]:
        return self.heard

    @workflow.query
    def resumed(self) -> bool:
        return self.start.resume


@dataclass
class Customers:
    """Stands in for Stripe's customers: raises what it is given, and then makes one for each key."""

    errors: list[Exception] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    cash: dict[str, dict[str, int]] = field(default_factory=dict)
    cards: dict[str, list[MethodView]] = field(default_factory=dict)
    paid_by: dict[str, str] = field(default_factory=dict)

    async def ensure(self, org_id: str, name: str, *, idempotency_key: str) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return self.made.setdefault(idempotency_key, new_id("cus"))

    async def unused_cash(self, customer_ref: str) -> dict[str, int]:
        if self.errors:
            raise self.errors.pop(0)
        return self.cash.get(customer_ref, {})

    async def methods(self, customer_ref: str) -> list[MethodView]:
        if self.errors:
            raise self.errors.pop(0)
        return self.cards.get(customer_ref, [])

    async def paying_country(self, customer_ref: str, methods: Sequence[MethodView]) -> str | None:
        if self.errors:
            raise self.errors.pop(0)
        return next((method.country for method in methods if method.is_default), self.paid_by.get(customer_ref))


@dataclass
class Mailroom:
    """Puts events and payments into the database and runs what hands them over."""

    env: WorkflowEnvironment
    client: Client
    database: Database
    owner_url: str
    customers: Customers

    async def organization(self) -> str:
        org_id = new_id("org")
        async with self.database.platform() as session:
            made = {"id": org_id, "name": "Acme", "created_by": "test", "command_id": org_id}
            await session.execute(insert(Organization).values(**made))
        return org_id

    async def payment(self, payment_id: str | None = None, *, ref: str | None = None, provider: str = "stripe") -> str:
        """Write the row of a payment, and return its id."""
        now, payment_id = datetime.now(UTC), payment_id or new_id("pay")
        terms = replace(TERMS, payment_id=payment_id, org_id=await self.organization(), provider=provider)
        state = Payment(
            terms=terms, status=PaymentStatus.PROCESSING, version=1, created_at=now, updated_at=now, ref=ref
        )
        async with self.database.platform() as session:
            await payment.write(session, PaymentEvent(payment=state, event="created", actor="test", at=now), None)
        return payment_id

    async def store(
        self,
        event_type: str = "payment_intent.succeeded",
        *,
        payment_id: str | None = None,
        refs: tuple[str, ...] = (),
        minutes_ago: int = 0,
        before: dict[str, Any] | None = None,
    ) -> str:
        """Store an event as a webhook does, and return its id."""
        event_id = f"evt_{new_id('x')}"
        event = ProviderEvent(
            event_id=event_id,
            type=event_type,
            occurred_at=datetime.now(UTC),
            payment_id=payment_id,
            refs=refs or (f"pi_{next(NUMBERS)}_{event_id}",),
            livemode=False,
            payload={"id": event_id, "data": {"previous_attributes": before}},
        )
        async with self.database.platform() as session:
            pool: Any = await driver_connection(session)
            assert await provider_event.store(pool, "stripe", event, "received", handled=False)
        if minutes_ago:
            owner = await asyncpg.connect(self.owner_url)
            past = timedelta(minutes=minutes_ago)
            await owner.execute(
                "UPDATE provider_events SET received_at = received_at - $1::interval WHERE event_id = $2",
                past,
                event_id,
            )
            await owner.close()
        return event_id

    async def start(self, event_id: str, *, task_queue: str = TASK_QUEUE) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            ProviderEventWorkflow.run,
            ProviderEventInput(provider="stripe", event_id=event_id),
            id=provider_event_workflow_id("stripe", event_id),
            task_queue=task_queue,
        )

    async def row(self, event_id: str) -> ProviderEventRow:
        async with self.database.platform() as session:
            return (await session.scalars(select(ProviderEventRow).where(ProviderEventRow.event_id == event_id))).one()

    def of(self, payment_id: str) -> WorkflowHandle[Any, Any]:
        """Return the payment's run."""
        return self.client.get_workflow_handle(payment_workflow_id(payment_id))

    async def forwarded(self, payment_id: str) -> list[str]:
        return list(await self.of(payment_id).query("forwarded"))


@asynccontextmanager
async def mailroom_on(env: WorkflowEnvironment, client: Client, database_urls: Any) -> AsyncIterator[Mailroom]:
    """Run a worker with the inbox's workflows for as long as the block lasts."""
    database, customers = Database(database_urls.tenant, database_urls.platform), Customers()
    stripe: Any = customers
    inbox, making = InboxActivities(database, client), CustomerActivities(database, stripe)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[ProviderEventWorkflow, InboxSweepWorkflow, CustomerWorkflow, ListeningPayment],
        activities=[
            *(inbox.dispatch, Sweeps(database, client).events),
            *(making.ensure_customer, making.look_at_cash, making.look_at_methods),
        ],
    )
    async with worker:
        yield Mailroom(env, client, database, database_urls.owner, customers)
    await database.close()
