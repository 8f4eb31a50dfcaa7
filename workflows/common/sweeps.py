"""Sweeps: they page through entities that may have lost their runs, and start missing runs.

They have no messages; schedules start them. They continue as new when the server suggests it, from the last entity, and
end after the last page. They compensate nothing, and leave open runs alone. A terminated run has no timers, so nothing
would happen until the next command. A new run resumes from the books and does at once what is due.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from activities.escrow.contract import ContractActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.common.sweeps import SweepPage, SweepProgress, SweepResult
    from contracts.escrow.expiry import ExpireContracts
    from workflows.common.batch import through_pages

#: Time limit for a payment to handle an event, and interval of repeated signals. A payment whose provider is down still
#: knows the event; one whose run was terminated does not.
SIGNAL_PATIENCE = timedelta(minutes=15)
SIGNAL_EVERY_MINUTES = 15
#: Contracts that one transaction marks as expired.
BATCH = 200


async def _sweep(
    method: Callable[[Sweeps, SweepPage], Awaitable[SweepResult]],
    start: SweepProgress | None,
    summary: str,
    *,
    patience: timedelta,
    page: int = 50,
    warn: bool = False,
    forwarded_before: datetime | None = None,
) -> SweepProgress:
    """Read all pages and start the missing runs.

    Args:
        method: the activity that does a page.
        start: the run's input.
        summary: shown in the Temporal UI.
        patience: overdue time after which a run counts as lost.
        page: page size.
        warn: whether a missing run is logged as a warning.
        forwarded_before: see `SweepPage`.
    """
    if start is None:
        before = workflow.now() - patience
        start = SweepProgress(page=SweepPage(before=before, after="", limit=page, forwarded_before=forwarded_before))
    done = await through_pages(
        start, lambda at: workflow.execute_activity_method(method, at.page, **regular_activity(summary))
    )
    if warn and done.started:
        workflow.logger.warning("missing runs were started", extra={"started": done.started})
    return done


@workflow.defn(name="escrow-sweep")
class EscrowSweepWorkflow:
    """Restarts runs of escrows whose deadline has passed.

    Before that it marks contracts that were not accepted in time as expired, which sends the parties an event. Expiry
    does not need the mark.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find escrows in small pages, because some states are large."""
        if start is None:
            await self._expire_contracts()
        summary = "start escrows whose deadline has passed"
        return await _sweep(Sweeps.escrows, start, summary, patience=timedelta(minutes=5), page=20, warn=True)

    async def _expire_contracts(self) -> None:
        """Mark contracts that were not accepted in time as expired, batch by batch."""
        total, count = 0, BATCH
        while count == BATCH:
            noted = await workflow.execute_local_activity_method(
                ContractActivities.expire_contracts,
                ExpireContracts(limit=BATCH),
                **local_activity("note contracts that were not accepted in time", timeout=timedelta(seconds=30)),
            )
            count = noted.count
            total += count
        workflow.set_current_details(f"Contracts that were not accepted in time, and are noted now: {total}")


@workflow.defn(name="payment-sweep")
class PaymentSweepWorkflow:
    """Restarts runs of payments that were terminated while something was awaited.

    Without a run no provider is called: a booked refund would not be made, and an escrow would not get its money.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find payments with an overdue step."""
        summary = "start payments that should have moved"
        return await _sweep(Sweeps.payments, start, summary, patience=timedelta(minutes=10), warn=True)


@workflow.defn(name="inbox-sweep")
class InboxSweepWorkflow:
    """Starts the runs of events that have none, because the web process died or Temporal was down."""

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find unhandled events of the inbox."""
        return await _sweep(
            Sweeps.events,
            start,
            "start events that are not handled",
            patience=timedelta(minutes=1),
            page=100,
            warn=True,
            forwarded_before=signalled_before(workflow.now()),
        )


@workflow.defn(name="invoice-sweep")
class InvoiceSweepWorkflow:
    """Starts missing runs of invoices, and signals runs that have not seen a change of their invoice or payment."""

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find invoices with an overdue step or an unseen change."""
        summary = "start invoices that should have moved"
        return await _sweep(Sweeps.invoices, start, summary, patience=timedelta(minutes=2))


@workflow.defn(name="subscription-sweep")
class SubscriptionSweepWorkflow:
    """Restarts runs of subscriptions that were terminated while something was awaited.

    Without a run no request reaches the provider, and a yearly plan grants no monthly credits.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find subscriptions with an overdue step."""
        summary = "start subscriptions that should have moved"
        return await _sweep(Sweeps.subscriptions, start, summary, patience=timedelta(minutes=10))


@workflow.defn(name="payout-sweep")
class PayoutSweepWorkflow:
    """Starts the runs of payouts that the API could not start, or that were terminated."""

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find payouts with an overdue step."""
        summary = "start payouts that should have moved"
        return await _sweep(Sweeps.payouts, start, summary, patience=timedelta(minutes=2))


@workflow.defn(name="risk-case-sweep")
class RiskCaseSweepWorkflow:
    """Starts the runs of cases that were opened in a transaction without one, or that were terminated."""

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find cases with an overdue step."""
        return await _sweep(Sweeps.risk_cases, start, "start cases that have no run", patience=timedelta(0))


@workflow.defn(name="export-sweep")
class ExportSweepWorkflow:
    """Starts the runs of exports that are not done, and of those whose files are to be deleted."""

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find exports that wait."""
        return await _sweep(Sweeps.exports, start, "start exports that have no run", patience=timedelta(minutes=1))


@workflow.defn(name="secret-rotation-sweep")
class RotationSweepWorkflow:
    """Starts the runs of rotations of which a step was due."""

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SweepProgress:
        """Find rotations with an overdue step."""
        summary = "start rotations that have no run"
        return await _sweep(Sweeps.rotations, start, summary, patience=timedelta(minutes=2))


def signalled_before(now: datetime) -> datetime | None:
    """Return the time up to which forwarded events are signalled again; None between two rounds of signals."""
    return now - SIGNAL_PATIENCE if now.minute % SIGNAL_EVERY_MINUTES == 0 else None
