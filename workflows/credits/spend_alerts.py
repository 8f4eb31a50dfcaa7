"""SpendAlertsWorkflow: raises alerts about spending, every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.credits.spend_alerts import SpendAlertActivities
    from contracts.common.queues import local_activity
    from contracts.credits.spend_alerts import RaisedSpendAlerts, RaiseSpendAlerts


@workflow.defn(name="spend-alerts")
class SpendAlertsWorkflow:
    """Raises one alert for each threshold, burst, refusal and low balance in a window.

    Messages: none; a schedule starts it.
    Ends when: every due alert is raised.
    Continues as new: never; it takes one step, and the next run finds the rest.
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
