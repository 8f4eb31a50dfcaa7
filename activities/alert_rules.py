"""Looks at the figures of alert rules."""

from temporalio import activity

from contracts.alert_rules import LookAtAlertRules, LookedAtAlertRules
from domain.plan import Plans
from repositories.alert_figure import TOO_LONG
from runtime.database import Database
from services import alert_evaluation, evidence_due, subscription_seats


class AlertRuleActivities:
    """The sweep's effect: alerts that are raised and resolved."""

    def __init__(self, database: Database, plans: Plans) -> None:
        """Take the database, as the platform's role, which sees every organization's figures, and the plans."""
        self._database, self._plans = database, plans

    @activity.defn
    async def look_at_alert_rules(self, message: LookAtAlertRules) -> LookedAtAlertRules:
        """Look at what is due.

        Effect: alerts, where each rule stands, and when it is looked at next.
        Idempotent by: when a rule is looked at next, under the rule's lock; an alert's key.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            if message.built_in:
                count = await alert_evaluation.look_at_built_in(session, message.now)
                count += await subscription_seats.close_fitting(session, self._plans)
                count += await evidence_due.alert_of_near(session, message.now)
            else:
                # The server has to end a statement before the driver does.
                within = min(TOO_LONG, self._database.statement_timeout / 2)
                count = await alert_evaluation.look_at_due(session, message.now, limit=message.limit, within=within)
        return LookedAtAlertRules(count=count)
