"""Evaluates alert rules."""

from temporalio import activity

from contracts.common.batch import BatchResult
from contracts.messages.alert_rules import EvaluateAlertRules
from domain.billing.plan import Plans
from repositories.messages.alert_figure import TOO_LONG
from runtime.database import Database
from services.billing import subscription_seats
from services.messages import alert_evaluation
from services.payments import evidence_due


class AlertRuleActivities:
    """The activity of `AlertRulesWorkflow`."""

    def __init__(self, database: Database, plans: Plans) -> None:
        """Take the database, as the platform's role, which sees every organization's figures, and the plans."""
        self._database, self._plans = database, plans

    @activity.defn
    async def look_at_alert_rules(self, message: EvaluateAlertRules) -> BatchResult:
        """Evaluate the rules that are due.

        Effect: alerts raised and resolved, the state of each rule, and when it is due next.
        Idempotent by: when a rule is due next, under the rule's lock; an alert's key.
        """
        # The server's statement timeout must be shorter than the driver's.
        within = min(TOO_LONG, self._database.statement_timeout / 2)
        async with self._database.platform() as session:
            if message.built_in:
                count = await alert_evaluation.evaluate_built_in_rules(session, message.now)
                count += await subscription_seats.resolve_alerts(session, self._plans)
                count += await evidence_due.alert_of_due_evidence(session, message.now)
            else:
                count = await alert_evaluation.evaluate_due_rules(
                    session, message.now, limit=message.limit, within=within
                )
        if message.built_in:
            async with self._database.platform() as session:
                count += await alert_evaluation.evaluate_return_rule(session, message.now, within=within)
        return BatchResult(count=count)
