"""Revenue recognition of subscriptions: by the days of the period, except for the cost of its credits.

Credits carry their price and become revenue as they are used. The rest of a bill accrues by the second and is booked
for each day; the cost of credits that were not granted is revenue when the period is over.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain.common.period import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The deferred revenue of a bill, in minor units.

    Attributes:
        amount_minor: what was received, without tax.
        period: what it was for.
        for_credits: whether all of it is the cost of its credits.
        granted_minor: the cost of the credits granted so far.
        accrued_minor: what is revenue so far.
        credited_minor: what credit notes have taken back.
    """

    amount_minor: int
    period: Period
    for_credits: bool
    granted_minor: int = 0
    accrued_minor: int = 0
    credited_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What was neither granted as credits, nor recognised as revenue, nor credited."""
        return self.amount_minor - self.credited_minor - self.granted_minor - self.accrued_minor


def first_day(period: Period, settled_at: datetime, *, for_credits: bool) -> date:
    """Return the first day, in UTC, that something of a bill is booked for; never one before it was settled."""
    begins = period.end - timedelta(microseconds=1) if for_credits else period.start
    return max(begins, settled_at).astimezone(UTC).date()


def accrues(deferred: Deferred, until: datetime) -> int:
    """Return the further revenue up to a time; never more than is left."""
    if until >= deferred.period.end:
        return deferred.left_minor
    if deferred.for_credits:
        return 0
    left, whole = deferred.period.seconds_left(until)
    earned = (deferred.amount_minor - deferred.credited_minor) * (whole - left) // whole
    return max(0, min(earned - deferred.accrued_minor, deferred.left_minor))
