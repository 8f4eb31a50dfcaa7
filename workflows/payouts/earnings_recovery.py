"""EarningsRecoveryWorkflow: takes back what creators earned from payments that were charged back or refunded."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payouts.recovery import RecoveryActivities
    from contracts.common.batch import HandledStep
    from contracts.common.queues import regular_activity
    from contracts.payouts.recovery import EarningsRecovery
    from workflows.common.batch import through_pages

#: How many are handled in one page.
PAGE = 20


@workflow.defn(name="earnings-recovery")
class EarningsRecoveryWorkflow:
    """Takes back earnings whose payment was charged back or refunded, and reverses what payouts have sent of them.

    Messages: none; a schedule starts it.
    Ends when: every open recovery and every reversal that is due was tried once.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; what a provider does not reverse is the creator's debt.
    """

    @workflow.run
    async def run(self, start: EarningsRecovery | None = None) -> EarningsRecovery:
        """Handle recoveries page by page, then reversals."""
        done = await through_pages(start or EarningsRecovery(now=workflow.now(), limit=PAGE), self._page)
        workflow.set_current_details(
            f"Uses for which creators gave something back: {done.recovered}; transfers taken back: {done.reversed}"
        )
        return done

    async def _page(self, progress: EarningsRecovery) -> HandledStep:
        method, summary = RecoveryActivities.recover, "take earnings back"
        if progress.step == "reversals":
            method, summary = RecoveryActivities.reverse, "take back what was paid out"
        options = regular_activity(summary, timeout=timedelta(minutes=5))
        return await workflow.execute_activity_method(method, progress.page, **options)
