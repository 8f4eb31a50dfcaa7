"""SpendAlertsWorkflow: raises alerts about what is spent, every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.spend_alerts import SpendAlertActivities
    from contracts.queues import local_activity
    from contracts.spend_alerts import RaisedSpendAlerts, RaiseSpendAlerts


@workflow.defn(name="spend-alerts")
class SpendAlertsWorkflow:
    """Raises an alert once for each threshold that is reached, burst, refusal and low balance in its window.

    Messages: none; a schedule starts it.
    Ends when: what is due is raised.
    Continues as new: never; it takes one step, and the next run finds what was left.
    Compensates: nothing; an alert stays.
    """

    @workflow.run
    async def run(self) -> RaisedSpendAlerts:
        """Raise what is due."""
        raised = await workflow.execute_local_activity_method(
            SpendAlertActivities.raise_spend_alerts,
            RaiseSpendAlerts(now=workflow.now()),
            **local_activity("raise alerts about spending", timeout=timedelta(seconds=30)),
        )
        workflow.set_current_details(f"Alerts raised, to be read at GET /alerts: {raised.count}")
        return raised
