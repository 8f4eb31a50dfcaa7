"""SubscriptionSweepWorkflow: restarts subscriptions whose run was lost."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.billing.subscription import SubscriptionSweepResult
    from contracts.common.sweeps import SweepPage, SweepProgress
    from workflows.common.sweep import sweep_pages

#: How long a step may be overdue before the subscription counts as one without a run.
PATIENCE = timedelta(minutes=10)
#: How many subscriptions are read at once.
PAGE = 50


@workflow.defn(name="subscription-sweep")
class SubscriptionSweepWorkflow:
    """Restarts runs of subscriptions that were terminated while something was awaited.

    Without a run no request reaches the provider, and a yearly plan grants no monthly credits.

    Messages: none; a schedule starts it.
    Ends when: each subscription with something due has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> SubscriptionSweepResult:
        """Find subscriptions with something due page by page, and start the missing runs."""
        begin = SweepProgress(page=SweepPage(before=workflow.now() - PATIENCE, after="", limit=PAGE))
        done = await sweep_pages(Sweeps.subscriptions, start or begin, "start subscriptions that should have moved")
        return SubscriptionSweepResult(waiting=done.found, started=done.started)
