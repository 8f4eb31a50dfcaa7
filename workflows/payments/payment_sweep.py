"""PaymentSweepWorkflow: restarts payments whose run was lost."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.common.sweeps import SweepPage, SweepProgress
    from contracts.payments.payment import PaymentSweepResult
    from workflows.common.sweep import sweep_pages

#: How long a step may be overdue before the payment counts as one without a run.
PATIENCE = timedelta(minutes=10)
#: How many payments are read at once.
PAGE = 50


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
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.payments, start or begin, "start payments that should have moved")
        if done.started:
            workflow.logger.warning("payments without a run were started again", extra={"started": done.started})
        return PaymentSweepResult(waiting=done.found, started=done.started)
