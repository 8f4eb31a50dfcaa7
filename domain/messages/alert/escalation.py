"""Escalation of alerts: steps that notify a role, each some time after the alert was raised, until somebody answers.

An acknowledgement by the organization ends its own steps, and a snooze there delays them; the same holds for operators.
So a tenant cannot stop the operators' steps. Steps that are due at once do not wait for an answer, so a thief who
redirects payouts cannot prevent that the owners are notified. All steps end when the alert is resolved, or acknowledged
by those whom it is for.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from domain.common.access import PLATFORM_ROLES, Role
from domain.common.agenda import Wait
from domain.messages.alert.life import AlertStatus, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """The role that is notified, and how long after the alert was raised."""

    role: Role
    after: timedelta

    @property
    def name(self) -> str:
        """The name under which a taken step is recorded; it does not depend on the ladder."""
        return f"{self.role.value}:{int(self.after.total_seconds())}"

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the step of a name."""
        role, _, seconds = name.partition(":")
        return cls(role=Role(role), after=timedelta(seconds=int(seconds)))

    @property
    def is_ours(self) -> bool:
        return self.role in PLATFORM_ROLES

    def __str__(self) -> str:
        hours, seconds = divmod(int(self.after.total_seconds()), 3600)
        return f"{self.role.value} after {hours}:{seconds // 60:02} h"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalatedAlert:
    """An alert with an escalation, as read from the database.

    Attributes:
        seen_by_organization: whether the organization has acknowledged it.
        shared: whether the organization can read it; otherwise nobody there is notified.
        snoozed_until: by operators; `org_snoozed_until` is by the organization.
    """

    alert_id: str
    kind: str
    subject: str
    detail: str
    severity: Severity
    status: AlertStatus
    raised_at: datetime
    ladder: tuple[EscalationStep, ...]
    org_id: str | None = None
    shared: bool = False
    seen_by_organization: bool = False
    snoozed_until: datetime | None = None
    org_snoozed_until: datetime | None = None


def due_at(case: EscalatedAlert, step: EscalationStep) -> datetime | None:
    """Return when a step is due; None if it does not notify anybody, or not any more."""
    if case.status is not AlertStatus.FIRING:
        return None
    at, snoozed = case.raised_at + step.after, case.snoozed_until
    if not step.is_ours:
        if case.org_id is None or not case.shared:
            return None
        if not step.after:
            return at
        if case.seen_by_organization:
            return None
        snoozed = case.org_snoozed_until
    return at if snoozed is None else max(at, snoozed)


def immediate_steps(ladder: Collection[EscalationStep], *, is_shared: bool) -> tuple[EscalationStep, ...]:
    """Return the steps that call people at once, of the organization only where it may read the alert.

    Nobody's answer takes these calls away: whoever answers first may be whom the alert is about.
    """
    return tuple(step for step in ladder if not step.after and (step.is_ours or is_shared))


def agenda(case: EscalatedAlert, taken: Collection[str], now: datetime) -> EscalationStep | Wait | None:
    """Return the steps to take now, or until when to wait; None if all were taken, or somebody has answered.

    Args:
        case: the present state of the alert.
        taken: the names of the steps that were taken.
        now: the time.
    """
    ahead = [
        (at, step.after, number)
        for number, step in enumerate(case.ladder)
        if step.name not in taken and (at := due_at(case, step)) is not None
    ]
    if not ahead:
        return None
    at, _, number = min(ahead)
    step = case.ladder[number]
    if at <= now:
        return step
    return Wait(until=at, why=f"nobody has answered: {step.role.value} is called then")
