"""AccountingDaysWorkflow: adds up the books by day and line of the chart, every five minutes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.books.accounting import AccountingActivities
    from contracts.books.accounting import AccountingDays, AddedUpDays, AddUpDays
    from workflows.common.batch import through_transactions

#: How many transfers one transaction adds.
BATCH = 5_000


@workflow.defn(name="accounting-days")
class AccountingDaysWorkflow:
    """Adds each transfer to the totals of its day, so that reports read daily totals and not transfers.

    Messages: none; a schedule starts it.
    Ends when: every transfer posted more than a minute ago is added, unless an open transaction is older than that.
    Continues as new: when the server suggests it.
    Compensates: nothing; a report adds the transfers that no daily total has yet.
    """

    @workflow.run
    async def run(self, start: AccountingDays | None = None) -> AddedUpDays:
        """Add page by page, from the last transfer that was added."""
        done = await through_transactions(
            start or AccountingDays(limit=BATCH),
            AccountingActivities.add_up_days,
            lambda at: AddUpDays(limit=at.limit, settle_seconds=at.settle_seconds),
            lambda at: f"add the next {at.limit} transfers after {at.count}",
        )
        workflow.set_current_details(f"{done.count} transfers were added to their days.")
        return AddedUpDays(count=done.count)
