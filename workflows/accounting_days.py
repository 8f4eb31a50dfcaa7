"""AccountingDaysWorkflow: adds up the books by day and line of the chart, every five minutes."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.accounting import AccountingActivities
    from contracts.accounting import AccountingDays, AddedUpDays, AddUpDays
    from contracts.queues import local_activity
    from workflows.batch import through_pages

#: How many transfers one transaction adds.
BATCH = 5_000


@workflow.defn(name="accounting-days")
class AccountingDaysWorkflow:
    """Adds transfers to the days that they count for, so that reports read days and not transfers.

    Messages: none; a schedule starts it.
    Ends when: nothing is left that was posted more than a minute before, unless a transaction is open for longer.
    Continues as new: when the server suggests it.
    Compensates: nothing; a report adds what is not added up yet by itself.
    """

    @workflow.run
    async def run(self, start: AccountingDays | None = None) -> AddedUpDays:
        """Add up page by page from where the sums stand."""
        done = await through_pages(start or AccountingDays(limit=BATCH), self._page)
        workflow.set_current_details(f"{done.count} transfers were added to their days.")
        return AddedUpDays(count=done.count)

    async def _page(self, progress: AccountingDays) -> AddedUpDays:
        return await workflow.execute_local_activity_method(
            AccountingActivities.add_up_days,
            AddUpDays(limit=progress.limit, settle_seconds=progress.settle_seconds),
            **local_activity(
                f"add the next {progress.limit} transfers after {progress.count}", timeout=timedelta(seconds=30)
            ),
        )
