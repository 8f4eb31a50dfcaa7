"""SpendDaysWorkflow: adds up what was spent on days that are over, every hour."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.spend_days import SpendDayActivities
    from contracts.spend_days import RollUpSpends, SpendDays
    from workflows.batch import through_transactions

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
        return await through_transactions(
            start or SpendDays(now=workflow.now(), limit=BATCH),
            SpendDayActivities.roll_up_spends,
            lambda at: RollUpSpends(now=at.now, limit=at.limit),
            lambda at: f"add up days before {at.now:%Y-%m-%d}",
            within=timedelta(seconds=60),
        )
