"""Runs of each kind of entity for `manage resume`: finding and restarting them after a restore of the books."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from activities.common.sweeps import resumed_case, resumed_escrow, resumed_payout
from contracts.runs import invoice_run, payment_news, subscription_news, webhook_endpoint_run
from domain.common.ids import (
    escrow_id_of,
    invoice_workflow_id,
    payment_workflow_id,
    payout_workflow_id,
    risk_case_workflow_id,
    subscription_workflow_id,
    webhook_endpoint_workflow_id,
)
from domain.messages.webhook.endpoint import ENDED_STATUSES
from repositories.billing import invoice_collection, subscription
from repositories.escrow import escrow
from repositories.messages import webhook_endpoint
from repositories.payments import payment
from repositories.payouts import payout
from repositories.risk import case as risk_case
from runtime import reach
from runtime.database import Database

#: Principal that starts runs.
PRINCIPAL = "manage-resume"
#: Page size.
PAGE = 100
#: Later than every due time.
FAR = datetime(9999, 1, 1, tzinfo=UTC)


class Entities(ABC):
    """Entities of one kind, with their runs.

    Attributes:
        workflow: the workflow type.
        versions: reads the number of the latest event in the books, by id.
    """

    workflow: ClassVar[str]
    versions: reach.Versions

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._database = database

    def id_of(self, workflow_id: str) -> str:
        return workflow_id.partition("/")[2]

    @abstractmethod
    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        """Return a page of open entities: their ids, and the ids of their runs."""

    @abstractmethod
    async def begin(self, entity_id: str) -> None:
        """Start the run of an open entity, even after a completed run of the lost books."""


class _Escrows(Entities):
    workflow = "escrow"
    versions = staticmethod(escrow.versions)

    def id_of(self, workflow_id: str) -> str:
        return escrow_id_of(super().id_of(workflow_id))

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        """Return a page of escrows with a deadline, which all open ones have."""
        rows = await escrow.overdue(session, before=FAR, after=after, limit=PAGE)
        return [(row.id, row.workflow_id) for row in rows]

    async def begin(self, entity_id: str) -> None:
        async with self._database.platform() as session:
            row = await escrow.get(session, entity_id)
            if row is None or row.next_deadline_at is None:
                return
            resumed = resumed_escrow(row, PRINCIPAL)
        await reach.start_missing(self._client, replace(resumed, reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE))


class _Payments(Entities):
    workflow = "payment"
    versions = staticmethod(payment.versions)

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        """Return a page of payments that wait for their payer, provider or purpose."""
        rows = await payment.stranded(session, before=FAR, after=after, limit=PAGE)
        return [(row.id, payment_workflow_id(row.id)) for row in rows]

    async def begin(self, entity_id: str) -> None:
        """Start the run and refresh from the provider."""
        async with self._database.platform() as session:
            row = await payment.get(session, entity_id)
            if row is None:
                return
            terms = payment.state_of(row).terms
        news = payment_news(terms, principal=PRINCIPAL, event_id=f"{PRINCIPAL}:{entity_id}")
        await reach.signal(self._client, *news)


class _Payouts(Entities):
    workflow = "payout"
    versions = staticmethod(payout.versions)

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        rows = await payout.stranded(session, before=FAR, after=after, limit=PAGE)
        return [(row.id, payout_workflow_id(row.id)) for row in rows]

    async def begin(self, entity_id: str) -> None:
        """Start the run, which looks up earlier transfers before it sends."""
        async with self._database.platform() as session:
            row = await payout.get(session, entity_id)
            if row is None or row.wake_at is None:
                return
            resumed = resumed_payout(row)
        await reach.start_missing(self._client, resumed)


class _RiskCases(Entities):
    workflow = "risk-case"
    versions = staticmethod(risk_case.versions)

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        rows = await risk_case.stranded(session, before=FAR, after=after, limit=PAGE)
        return [(row.id, risk_case_workflow_id(row.id)) for row in rows]

    async def begin(self, entity_id: str) -> None:
        async with self._database.platform() as session:
            row = await risk_case.get(session, entity_id)
            if row is None or row.due_at is None:
                return
            resumed = resumed_case(row)
        await reach.start_missing(self._client, resumed)


class _Subscriptions(Entities):
    workflow = "subscription"
    versions = staticmethod(subscription.versions)

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        rows = await subscription.stranded(session, before=FAR, after=after, limit=PAGE)
        return [(row.id, subscription_workflow_id(row.id)) for row in rows]

    async def begin(self, entity_id: str) -> None:
        """Start the run and refresh from the provider."""
        async with self._database.platform() as session:
            held = await subscription.get(session, entity_id)
        if held is not None:
            news = subscription_news(held, principal=PRINCIPAL, event_id=f"{PRINCIPAL}:{entity_id}")
            await reach.signal(self._client, *news)


class _Invoices(Entities):
    workflow = "invoice"
    versions = staticmethod(invoice_collection.versions)

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        rows = await invoice_collection.page(session, after=after, limit=PAGE)
        return [(row.invoice_id, invoice_workflow_id(row.invoice_id)) for row in rows]

    async def begin(self, entity_id: str) -> None:
        async with self._database.platform() as session:
            row = await invoice_collection.get(session, entity_id)
            if row is None:
                return
            held = invoice_collection.state_of(row)
        await reach.start_missing(self._client, invoice_run(held))


class _WebhookEndpoints(Entities):
    workflow = "webhook-endpoint"
    versions = staticmethod(webhook_endpoint.versions)

    async def awaiting(self, session: AsyncSession, after: str) -> Sequence[tuple[str, str]]:
        """Return a page of enabled or paused endpoints, which have a run."""
        ids = await webhook_endpoint.with_run(session, after=after, limit=PAGE)
        return [(each, webhook_endpoint_workflow_id(each)) for each in ids]

    async def begin(self, entity_id: str) -> None:
        """Start the run, which resends events without a recorded delivery."""
        async with self._database.platform() as session:
            row = await webhook_endpoint.get(session, entity_id)
        if row is not None and webhook_endpoint.state_of(row).status not in ENDED_STATUSES:
            await reach.start_missing(self._client, webhook_endpoint_run(row.id, row.org_id))


#: All kinds of entities with runs.
KINDS: tuple[type[Entities], ...] = (
    _Escrows,
    _Payments,
    _Payouts,
    _RiskCases,
    _Subscriptions,
    _Invoices,
    _WebhookEndpoints,
)
#: Kinds whose runs refresh from a provider when restarted.
AT_PROVIDERS: tuple[type[Entities], ...] = (_Payments, _Subscriptions)
