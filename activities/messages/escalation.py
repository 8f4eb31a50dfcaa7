"""Notifies people of alerts that are not answered."""

from collections.abc import Awaitable, Callable, Collection

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.common.seals import Seals
from contracts.escrow.escrow import Declined
from contracts.messages.escalation import (
    AcknowledgeAlert,
    AcknowledgedAlert,
    LoadAlert,
    LoadedAlert,
    StepResult,
    TakeStep,
)
from domain.common.access import Role
from domain.common.errors import Forbidden
from domain.messages.alert.escalation import EscalatedAlert, due_at, immediate_steps
from domain.messages.alert.life import AlertStatus, Severity
from models.messages.alert import Alert
from repositories.messages import alert as alerts, alert_rule
from runtime.database import Database
from services.messages import alert

#: Notifies the members of some roles of an alert, once for each step, in the caller's transaction.
RoleNotifier = Callable[[AsyncSession, Alert, Collection[Role], str], Awaitable[object]]


class EscalationActivities:
    """The effects of `EscalationWorkflow`."""

    def __init__(self, database: Database, tell: RoleNotifier, *, sealed_signals: bool = False) -> None:
        """Take the database, as the platform, what writes notifications, and whether signals must be sealed."""
        self._database = database
        self._tell = tell
        self._seals = Seals("alert", required=sealed_signals)

    @activity.defn(name="look_at_alert")
    async def look(self, message: LoadAlert) -> LoadedAlert:
        """Read the state of an alert.

        Effect: none.
        Idempotent by: changing nothing.
        """
        async with self._database.platform() as session:
            row = await alerts.find(session, message.alert_id)
            return LoadedAlert(case=None if row is None else await _case_of(session, row))

    @activity.defn(name="take_escalation_step")
    async def take(self, message: TakeStep) -> StepResult:
        """Notify the recipients of a step, unless the alert was answered meanwhile.

        Effect: notifications.
        Idempotent by: the step: each recipient is notified once.
        """
        async with self._database.platform() as session:
            # Locked, so that a concurrent answer comes either before or after.
            row = await alerts.find(session, message.alert_id, lock=True)
            if row is None:
                return StepResult()
            case = await _case_of(session, row)
            step = next((step for step in case.ladder if step.name == message.step), None)
            if step is None or due_at(case, step) is None:
                return StepResult()
            await self._tell(session, row, (step.role,), step.name)
        return StepResult(called=True)

    @activity.defn(name="acknowledge_alert")
    async def acknowledge(self, message: AcknowledgeAlert) -> AcknowledgedAlert:
        """Record that an operator acknowledges the alert, after everybody was notified who is notified at once.

        Effect: notifications; the alert is acknowledged, with an entry of the audit trail.
        Idempotent by: each step, which notifies a person once; the alert's time of acknowledgement.
        """
        declined = self._seals.declined(message.actor)
        if declined is not None:
            return AcknowledgedAlert(declined=declined)
        async with self._database.platform() as session:
            called = await self._call_at_once(session, message.alert_id)
            row = await alerts.find(session, message.alert_id)
            if row is not None:
                try:
                    await alert.refuse_own_key(session, message.actor, row)
                except Forbidden as refusal:
                    return AcknowledgedAlert(declined=Declined.of(refusal), called=called)
            await alert.acknowledge(session, message.actor, message.alert_id)
        return AcknowledgedAlert(called=called)

    async def _call_at_once(self, session: AsyncSession, alert_id: str) -> tuple[str, ...]:
        """Take the steps that no answer may prevent; returns their names."""
        row = await alerts.find(session, alert_id, lock=True)
        if row is None or row.status != AlertStatus.FIRING.value:
            return ()
        case = await _case_of(session, row)
        steps = immediate_steps(case.ladder, is_shared=case.shared and case.org_id is not None)
        for step in steps:
            await self._tell(session, row, (step.role,), step.name)
        return tuple(step.name for step in steps)


async def _case_of(session: AsyncSession, row: Alert) -> EscalatedAlert:
    return EscalatedAlert(
        alert_id=row.id,
        kind=row.kind,
        subject=row.subject,
        detail=row.detail,
        severity=Severity(row.severity),
        status=AlertStatus(row.status),
        raised_at=row.created_at,
        ladder=(await alert_rule.ladders(session, [row]))[row.id],
        org_id=row.org_id,
        shared=row.shared,
        seen_by_organization=row.org_acknowledged_at is not None,
        snoozed_until=row.snoozed_until,
        org_snoozed_until=row.org_snoozed_until,
    )
