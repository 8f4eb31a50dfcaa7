"""AlertRulesWorkflow: evaluates alert rules every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.messages.alert_rules import AlertRuleActivities
    from contracts.common.batch import BatchProgress
    from contracts.common.queues import local_activity
    from contracts.messages.alert_rules import EvaluateAlertRules
    from workflows.common.batch import through_transactions

#: How many rules one transaction evaluates.
BATCH = 200
WITHIN = timedelta(seconds=60)


@workflow.defn(name="alert-rules")
class AlertRulesWorkflow:
    """Evaluates the built-in rules and the rules that are due. A rule on absence is due when its period has passed.

    Messages: none; a schedule starts it.
    Ends when: no rule is left that was due when it started.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an alert is resolved by the figure.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Evaluate page by page."""
        if start is None:
            start = BatchProgress(now=workflow.now(), limit=BATCH)
            await workflow.execute_local_activity_method(
                AlertRuleActivities.look_at_alert_rules,
                EvaluateAlertRules(now=start.now, limit=BATCH, built_in=True),
                **local_activity("evaluate built-in rules", timeout=WITHIN),
            )
        done = await through_transactions(
            start,
            AlertRuleActivities.look_at_alert_rules,
            lambda at: EvaluateAlertRules(now=at.now, limit=at.limit),
            lambda at: f"evaluate rules due at {at.now:%H:%M:%S}",
            within=WITHIN,
        )
        workflow.set_current_details(f"Rules looked at that were due at {done.now:%H:%M:%S} UTC: {done.count}")
        return done
