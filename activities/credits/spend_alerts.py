"""Raises alerts about spending."""

from temporalio import activity

from contracts.common.batch import BatchResult, BatchStep
from domain.common.mail import MailKind
from domain.credits.spend.alerts import AlertKind, detail_of, is_limit_near, subject_of
from domain.messages.events.spend_limit import has_event, threshold_events
from repositories.credits import spend_alert, spend_control
from repositories.messages import alert, event
from runtime.database import Database
from services.budgets import pool_alerts
from services.messages import mail
from services.messages.alert_evaluation import RESOLVED_BY


class SpendAlertActivities:
    """The activity of `SpendAlertsWorkflow`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn
    async def raise_spend_alerts(self, message: BatchStep) -> BatchResult:
        """Raise the alerts that are due.

        Effect: one alert for each threshold, burst and refusal in its window, resolved when the window ends; one for
            each draw of an emergency pool, and for each reserve that is low; a mail to the billing contacts, at most
            one a day for each control, if a limit is nearly reached.
        Idempotent by: the alert's key, which names the window.
        """
        async with self._database.platform() as session:
            found = await spend_alert.alerts_to_raise(session, message.now)
            # A control that is being changed is left to the next run, because its own events take numbers meanwhile.
            alerted = {each.control_id for each in found if has_event(each) and each.control_id is not None}
            held = await spend_control.lock(session, alerted)
            found = [each for each in found if not has_event(each) or each.control_id in held]
            for happened in found:
                is_ours = happened.kind is AlertKind.NO_RATE
                raised = await alert.raise_alert(
                    session,
                    key=happened.key,
                    kind=happened.kind.value,
                    subject=happened.asset or "" if is_ours else subject_of(happened),
                    detail=detail_of(happened),
                    org_id=None if is_ours else happened.org_id,
                    shared=not is_ours,
                    for_operators=is_ours,
                    severity=happened.severity,
                    rule_id=happened.kind.value if happened.kind is AlertKind.BUDGET else None,
                    window=happened.window if happened.kind is AlertKind.BUDGET else None,
                )
                if raised:
                    await event.record(session, threshold_events(happened))
                if raised and is_limit_near(happened):
                    control = subject_of(happened)
                    await mail.queue(
                        session,
                        # Windows can be hours: one mail a day is enough.
                        key=f"spend:{control}:near:{message.now:%Y-%m-%d}",
                        org_id=happened.org_id,
                        kind=MailKind.SPEND_LIMIT_NEAR,
                        data={"control": control, "percent": f"{(happened.part_e4 or 0) / 100:g}"},
                    )
            await pool_alerts.alert_pool_uses(session, message.now)
            await pool_alerts.close_emergencies(session, message.now)
            for key in await spend_alert.keys_to_resolve(session, message.now):
                await alert.resolve(session, key, RESOLVED_BY)
        return BatchResult(count=len(found))
