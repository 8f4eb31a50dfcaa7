"""RiskOutcomesWorkflow: counts what follows from acts that were decided, continuously."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.risk.outcomes import RiskOutcomeActivities
    from contracts.common.queues import regular_activity
    from contracts.risk.outcomes import FoldedOutcomes, FoldOutcomes

#: How long a run lasts: until the next one is due.
LASTS = timedelta(seconds=60)


@workflow.defn(name="risk-outcomes")
class RiskOutcomesWorkflow:
    """Counts payments, declines, refunds, disputes and silent releases from events, for a minute.

    Messages: none; a schedule starts it. One run at a time: the next waits for it.
    Ends when: its minute is over.
    Continues as new: never.
    Compensates: nothing; each event counts once.
    """

    @workflow.run
    async def run(self) -> FoldedOutcomes:
        """Count events until the minute is over."""
        workflow.set_current_details("Counts what follows from decided acts for a minute")
        done = await workflow.execute_activity_method(
            RiskOutcomeActivities.fold,
            FoldOutcomes(seconds=int(LASTS.total_seconds())),
            **regular_activity("count new events", timeout=5 * LASTS, heartbeat=timedelta(seconds=10)),
        )
        workflow.set_current_details(f"Events that were read: {done.events}")
        return done
