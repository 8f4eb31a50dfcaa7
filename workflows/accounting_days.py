"""AccountingDaysWorkflow: adds up the books by day and line of the chart, every five minutes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.accounting import AccountingActivities
    from contracts.accounting import AccountingDays, AddedUpDays, AddUpDays
    from workflows.batch import through_transactions

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
        done = await through_transactions(
            start or AccountingDays(limit=BATCH),
            AccountingActivities.add_up_days,
            lambda at: AddUpDays(limit=at.limit, settle_seconds=at.settle_seconds),
            lambda at: f"add the next {at.limit} transfers after {at.count}",
        )
        workflow.set_current_details(f"{done.count} transfers were added to their days.")
        return AddedUpDays(count=done.count)
