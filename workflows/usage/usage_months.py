"""UsageMonthsWorkflow: creates the monthly tables of usage events in advance, once a day."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.usage.usage import UsageActivities
    from contracts.common.queues import local_activity
    from contracts.usage.usage import OpenedMonths, OpenMonths


@workflow.defn(name="usage-months")
class UsageMonthsWorkflow:
    """Creates the tables that usage events will need, so that no request has to.

    Messages: none; a schedule starts it.
    Ends when: the tables exist.
    Continues as new: never; it takes one step.
    Compensates: nothing; a month without events is an empty table.
    """

    @workflow.run
    async def run(self) -> OpenedMonths:
        """Create the missing tables."""
        opened = await workflow.execute_local_activity_method(
            UsageActivities.open_months,
            OpenMonths(now=workflow.now()),
            **local_activity("make the months ahead", timeout=timedelta(seconds=30)),
        )
        workflow.set_current_details(f"Tables of months that were missing and were made: {opened.count}")
        return opened
