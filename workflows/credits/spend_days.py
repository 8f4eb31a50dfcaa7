"""SpendDaysWorkflow: totals the spends of past days, every hour."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.credits.spend_days import SpendDayActivities
    from contracts.credits.spend_days import RollUpSpends, SpendDays
    from workflows.common.batch import through_transactions

#: How many days of organizations one transaction totals.
BATCH = 20


@workflow.defn(name="spend-days")
class SpendDaysWorkflow:
    """Totals days, so that summaries read the totals and not every spend.

    Messages: none; a schedule starts it.
    Ends when: every past day is totalled.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a day that changes is totalled again.
    """

    @workflow.run
    async def run(self, start: SpendDays | None = None) -> SpendDays:
        """Add up page by page."""
        return await through_transactions(
            start or SpendDays(now=workflow.now(), limit=BATCH),
            SpendDayActivities.roll_up_spends,
            lambda at: RollUpSpends(now=at.now, limit=at.limit),
            lambda at: f"add up days before {at.now:%Y-%m-%d}",
            within=timedelta(seconds=60),
        )
