"""PaymentSweepWorkflow: restarts payments whose run was lost."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payment import PaymentActivities
    from activities.sweeps import Sweeps
    from contracts.payment import FindStranded, PaymentInput, PaymentSweepResult
    from contracts.queues import local_activity
    from contracts.runs import payment_run
    from contracts.sweeps import SweepPage, SweepProgress
    from domain.access import Actor, Role
    from domain.payment.terms import PaymentTerms
    from workflows.sweep import BY_PAGES, start_run, sweep, sweep_pages

#: How long a step may be overdue before the payment counts as one without a run.
PATIENCE = timedelta(minutes=10)
#: How many payments are read at once.
PAGE = 50
#: How many payments one sweep reads. Those with a run, which waits for a bank, are skipped.
MOST = 5_000


@workflow.defn(name="payment-sweep")
class PaymentSweepWorkflow:
    """Restarts runs of payments that were terminated while something was awaited.

    Without a run no provider is called: a booked refund would not be made, and an escrow would not get its money. The
    books hold the run's whole state; the run that resumes from them does at once what is due.

    Messages: none; a schedule starts it.
    Ends when: each payment with something due has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> PaymentSweepResult:
        """Find payments with something due page by page, and start the missing runs."""
        if start is None and not workflow.patched(BY_PAGES):
            return await self._by_children()
        now = workflow.now()
        begin = SweepProgress(page=SweepPage(before=now - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.payments, start or begin, "start payments that should have moved")
        if done.started:
            workflow.logger.warning("payments without a run were started again", extra={"started": done.started})
        return PaymentSweepResult(waiting=done.found, started=done.started)

    async def _by_children(self) -> PaymentSweepResult:
        """Start runs as children, as older runs did."""
        before = workflow.now() - PATIENCE
        waiting, started = await sweep(
            lambda after: workflow.execute_local_activity_method(
                PaymentActivities.find_stranded,
                FindStranded(before=before, after=after, limit=PAGE),
                **local_activity(f"find payments that should have moved by {before:%H:%M:%S}"),
            ),
            _start,
            after="",
            page=PAGE,
            most=MOST,
        )
        if started:
            workflow.logger.warning("payments without a run were started again", extra={"started": started})
        return PaymentSweepResult(waiting=waiting, started=started)


async def _start(terms: PaymentTerms) -> None:
    by = Actor(principal="payment-sweep", role=Role.OPERATOR)
    start = PaymentInput(terms=terms, created_by=by, command_id="payment-sweep", resume=True)
    await start_run(payment_run(start))
