"""SpendDaysWorkflow: adds up what was spent on days that are over, every hour."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.spend_days import SpendDayActivities
    from contracts.queues import local_activity
    from contracts.spend_days import RolledUpSpends, RollUpSpends, SpendDays
    from workflows.batch import through_pages

#: How many days of organizations one transaction adds up.
BATCH = 20


@workflow.defn(name="spend-days")
class SpendDaysWorkflow:
    """Adds up days, so that summaries read them and not their spends.

    Messages: none; a schedule starts it.
    Ends when: no day is left that can be added up.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a day that changes is added up again.
    """

    @workflow.run
    async def run(self, start: SpendDays | None = None) -> SpendDays:
        """Add up page by page."""
        return await through_pages(start or SpendDays(now=workflow.now(), limit=BATCH), self._page)

    async def _page(self, progress: SpendDays) -> RolledUpSpends:
        return await workflow.execute_local_activity_method(
            SpendDayActivities.roll_up_spends,
            RollUpSpends(now=progress.now, limit=progress.limit),
            **local_activity(f"add up days before {progress.now:%Y-%m-%d}", timeout=timedelta(seconds=60)),
        )
