"""The states of an alert: `firing → acknowledged → resolved`, and `snoozed` until a time.

Operators acknowledge, snooze and resolve alerts that are for them; the organization acknowledges and snoozes these for
itself only. An organization resolves alerts that are for it alone. Resolved is final: a new occurrence is another alert
with another key.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import Invalid

#: The maximum length of a snooze.
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


def check_snooze(until: datetime, now: datetime) -> None:
    """Check the end of a snooze.

    Raises:
        Invalid: `until` is not in the future, or more than 30 days away.
    """
    if until <= now:
        raise Invalid("until must be in the future.", extra={"field": "until"})
    if until > now + MAX_SNOOZE:
        raise Invalid(f"until must be at most {MAX_SNOOZE.days} days away.", extra={"field": "until"})
