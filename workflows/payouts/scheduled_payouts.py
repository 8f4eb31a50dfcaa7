"""ScheduledPayoutsWorkflow: pays out creators on the days of their schedules."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payouts.payout_schedule import PayoutScheduleActivities
    from contracts.common.queues import regular_activity
    from contracts.payouts.payout import PayScheduled, ScheduledPayouts
    from workflows.common.batch import through_pages

#: How many organizations are read at once.
PAGE = 50


@workflow.defn(name="scheduled-payouts")
class ScheduledPayoutsWorkflow:
    """Pays out what is available to each organization whose schedule says so, once for each day.

    Messages: none; a schedule starts it.
    Ends when: each organization that was due has its payout, or a recorded reason for having none.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a payout that cannot be sent returns to the earnings in its own run.
    """

    @workflow.run
    async def run(self, start: PayScheduled | None = None) -> PayScheduled:
        """Pay out page by page."""
        done = await through_pages(start or PayScheduled(now=workflow.now(), limit=PAGE), self._page)
        workflow.set_current_details(f"Due on {done.now:%Y-%m-%d}: {done.found}; paid out: {done.paid}")
        return done

    async def _page(self, progress: PayScheduled) -> ScheduledPayouts:
        return await workflow.execute_activity_method(
            PayoutScheduleActivities.pay,
            progress.page,
            **regular_activity(f"pay out who is due on {progress.now:%Y-%m-%d}", timeout=timedelta(minutes=10)),
        )
