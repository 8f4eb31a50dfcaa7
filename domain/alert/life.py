"""The life of an alert: `firing → acknowledged → resolved`, and `snoozed` until a moment.

An alert has two sides. Alerts for operators are theirs: they acknowledge, snooze and resolve them, and the organization
acknowledges and snoozes them for itself. Alerts for the organization alone it resolves itself. Resolved is final: what
happens again is another alert, with another key.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from domain.errors import Conflict, Invalid

#: How long nobody is told of a snoozed alert, at most.
MAX_SNOOZE = timedelta(days=30)


class AlertStatus(StrEnum):
    """The status of an alert."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How severe an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlreadyResolved(Conflict):
    """The alert is resolved, and cannot be snoozed."""

    code = "alert.resolved"


class OperatorsCase(Conflict):
    """An organization cannot resolve an alert that operators should look at."""

    code = "alert.operators_case"


def judge_snooze(until: datetime, now: datetime) -> None:
    """Refuse a snooze without an end that is near.

    Raises:
        Invalid: `until` is not in the future, or more than 30 days away.
    """
    if until <= now:
        raise Invalid("until must be in the future.", extra={"field": "until"})
    if until > now + MAX_SNOOZE:
        raise Invalid(f"until must be at most {MAX_SNOOZE.days} days away.", extra={"field": "until"})
