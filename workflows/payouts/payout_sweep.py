"""PayoutSweepWorkflow: starts runs for payouts that have none."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.common.sweeps import SweepPage, SweepProgress
    from contracts.payouts.payout import PayoutSweepResult
    from workflows.common.sweep import sweep_pages

#: How long a step may be overdue before the payout counts as one without a run.
PATIENCE = timedelta(minutes=2)
#: How many payouts are read at once.
PAGE = 50


@workflow.defn(name="payout-sweep")
class PayoutSweepWorkflow:
    """Starts the runs of payouts that the API could not start, or that were terminated.

    Messages: none; a schedule starts it.
    Ends when: each payout with something due has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> PayoutSweepResult:
        """Find payouts with something due page by page, and start the missing runs."""
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.payouts, start or begin, "start payouts that should have moved")
        return PayoutSweepResult(waiting=done.found, started=done.started)
