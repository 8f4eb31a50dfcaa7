"""Activities of the sweeps: they start missing runs, a page at a time, from the cursor of the previous page.

An open run gets no event: the server answers that it is already started.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from contracts.billing.subscription import SubscriptionInput
from contracts.common.sweeps import SweepPage, SweepResult
from contracts.escrow.escrow import EscrowInput
from contracts.payments.payment import PaymentInput, ProviderEventInput
from contracts.payouts.payout import PayoutInput
from contracts.runs import (
    Run,
    escrow_run,
    invoice_news,
    invoice_run,
    payment_run,
    payout_run,
    provider_event_run,
    risk_case_run,
    rotation_run,
    subscription_run,
)
from domain.common.access import Actor, Role
from domain.payments.dunning import STUCK_ALERT, stuck_after
from models.billing.invoice_collection import InvoiceCollectionRow
from models.billing.subscription import SubscriptionRow
from models.escrow.escrow import EscrowRow
from models.insight.export import ExportRow
from models.payments.payment import PaymentRow
from models.payouts.payout import PayoutRow
from models.risk.case import RiskCase
from repositories.billing import invoice_collection, subscription
from repositories.escrow import escrow
from repositories.insight import export as exports
from repositories.messages import alert
from repositories.payments import payment, provider_event
from repositories.payouts import payout
from repositories.risk import case as risk_case
from repositories.secrets import rotation
from runtime import reach
from runtime.database import Database
from services.insight import export

#: The principal that starts runs.
ESCROWS, PAYMENTS, SUBSCRIPTIONS = "escrow-sweep", "payment-sweep", "subscription-sweep"

Row = TypeVar("Row", EscrowRow, ExportRow, PaymentRow, PayoutRow, RiskCase, SubscriptionRow)


class Sweeps:
    """Each activity starts the missing runs of a page, and returns the cursor of the next one.

    Effect: a run for each entity of the page that has none.
    Idempotent by: the run's id.
    """

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    @activity.defn(name="start_missing_escrows")
    async def escrows(self, message: SweepPage) -> SweepResult:
        """Start the runs of escrows with a passed deadline."""
        return await self._page(message, escrow.overdue, partial(resumed_escrow, by=ESCROWS))

    @activity.defn(name="start_missing_payments")
    async def payments(self, message: SweepPage) -> SweepResult:
        """Start the runs of payments with an overdue step."""
        return await self._page(message, payment.stranded, resumed_payment)

    @activity.defn(name="start_missing_exports")
    async def exports(self, message: SweepPage) -> SweepResult:
        """Start the runs of exports that are not done, and of those whose files are due to be deleted."""
        return await self._page(message, exports.stranded, export.run_of)

    @activity.defn(name="start_missing_payouts")
    async def payouts(self, message: SweepPage) -> SweepResult:
        """Start the runs of payouts with an overdue step."""
        return await self._page(message, payout.stranded, resumed_payout)

    @activity.defn(name="start_missing_risk_cases")
    async def risk_cases(self, message: SweepPage) -> SweepResult:
        """Start the runs of cases with an overdue step: new ones have one from their opening on."""
        return await self._page(message, risk_case.stranded, resumed_case)

    @activity.defn(name="start_missing_invoices")
    async def invoices(self, message: SweepPage) -> SweepResult:
        """Start the runs of invoices with an overdue step, and signal those with an unseen change.

        Effect: a run for each of the page that has none; a signal to each run that has not seen a change of its invoice
            or payment; an alert for each that is stuck.
        Idempotent by: the run's id; a signalled run does only what is due; the alert's key.
        """
        async with self._database.platform() as session:
            rows = await invoice_collection.stranded(
                session, before=message.before, after=message.after, limit=message.limit
            )
            for row, _ in rows:
                if row.wake_at is not None and row.wake_at < message.before - stuck_after(row.status):
                    await _alert_stuck(session, row)
            held = [(invoice_collection.state_of(row), must_look) for row, must_look in rows]
        for one, must_look in held:
            if must_look:
                await reach.signal(self._client, *invoice_news(one))
        swept = await self._start(
            [invoice_run(one) for one, must_look in held if not must_look],
            held[-1][0].invoice_id if held else message.after,
        )
        return swept.model_copy(update={"found": len(held)})

    @activity.defn(name="start_missing_rotations")
    async def rotations(self, message: SweepPage) -> SweepResult:
        """Start the runs of rotations with an overdue step."""
        async with self._database.platform() as session:
            rows = await rotation.overdue_rotations(
                session, before=message.before, after=message.after, limit=message.limit
            )
        last = rows[-1].secret_id if rows else message.after
        return await self._start([rotation_run(row.secret_id, row.org_id) for row in rows], last)

    @activity.defn(name="start_missing_subscriptions")
    async def subscriptions(self, message: SweepPage) -> SweepResult:
        """Start the runs of subscriptions with an overdue step."""
        return await self._page(message, subscription.stranded, resumed_subscription)

    @activity.defn(name="start_missing_events")
    async def events(self, message: SweepPage) -> SweepResult:
        """Start the runs of unhandled inbox events."""
        async with self._database.platform() as session:
            rows = await provider_event.unhandled(
                session,
                before=message.before,
                forwarded_before=message.forwarded_before,
                after=int(message.after or 0),
                limit=message.limit,
            )
            events = [ProviderEventInput(provider=row.provider, event_id=row.event_id) for row in rows]
            last = str(rows[-1].id) if rows else message.after
        return await self._start([provider_event_run(event) for event in events], last)

    async def _page(
        self, message: SweepPage, read: Callable[..., Awaitable[Sequence[Row]]], run_of: Callable[[Row], Run]
    ) -> SweepResult:
        async with self._database.platform() as session:
            rows = await read(session, before=message.before, after=message.after, limit=message.limit)
            runs, last = [run_of(row) for row in rows], rows[-1].id if rows else message.after
        return await self._start(runs, last)

    async def _start(self, runs: Sequence[Run], last: str) -> SweepResult:
        started = await asyncio.gather(*(reach.start_missing(self._client, run) for run in runs))
        return SweepResult(found=len(runs), started=sum(started), last=last)


def resumed_escrow(row: EscrowRow, by: str) -> Run:
    """Return the run that resumes an escrow from the books; `by` is its actor."""
    actor, terms = Actor(principal=by, role=Role.OPERATOR), escrow.state_of(row).terms
    return escrow_run(EscrowInput(terms=terms, opened_by=actor, command_id=by, resume=True))


def resumed_case(row: RiskCase) -> Run:
    """Return the run that resumes a case from the books."""
    return risk_case_run(risk_case.state_of(row))


def resumed_payout(row: PayoutRow) -> Run:
    """Return the run that resumes a payout from the books."""
    return payout_run(PayoutInput(payout_id=row.id), payout.state_of(row))


async def _alert_stuck(session: AsyncSession, row: InvoiceCollectionRow) -> None:
    number = invoice_collection.state_of(row).number
    await alert.raise_alert(
        session,
        kind=STUCK_ALERT,
        subject=row.invoice_id,
        detail=f"Invoice {number} has been {row.status} since {row.wake_at:%Y-%m-%d %H:%M} UTC and does not move.",
        org_id=row.org_id,
        key=f"{STUCK_ALERT}:{row.invoice_id}:{row.version}",
    )


def resumed_subscription(row: SubscriptionRow, by: str = SUBSCRIPTIONS) -> Run:
    """Return the run that resumes a subscription from the books; `by` is its actor."""
    actor, held = Actor(principal=by, role=Role.OPERATOR), subscription.state_of(row)
    return subscription_run(SubscriptionInput(subscription=held, created_by=actor, command_id=by, resume=True))


def resumed_payment(row: PaymentRow, by: str = PAYMENTS) -> Run:
    """Return the run that resumes a payment from the books; `by` is its actor."""
    actor, terms = Actor(principal=by, role=Role.OPERATOR), payment.state_of(row).terms
    return payment_run(PaymentInput(terms=terms, created_by=actor, command_id=by, resume=True))
