"""How what was paid for a period becomes revenue: with the days that pass, but for what its credits cost.

Credits carry their price with them and are revenue as they are used. What a bill was paid for beside them accrues by
the second and is booked for each day; what credits were to take and did not is revenue when the period is over.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain.subscription.period import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """What was paid by a bill, in minor units.

    Attributes:
        amount_minor: what was received, without tax.
        period: what it was for.
        for_credits: whether its credits are to take all of it.
        granted_minor: what went along with credits so far.
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
        """What is neither with credits nor revenue yet, nor taken back."""
        return self.amount_minor - self.credited_minor - self.granted_minor - self.accrued_minor


def first_day(period: Period, settled_at: datetime, *, for_credits: bool) -> date:
    """Return the first day, in UTC, that something of a bill is booked for; never one before it was settled."""
    begins = period.end - timedelta(microseconds=1) if for_credits else period.start
    return max(begins, settled_at).astimezone(UTC).date()


def accrues(deferred: Deferred, until: datetime) -> int:
    """Return what becomes revenue up to a moment, beside what is already; never more than is left."""
    if until >= deferred.period.end:
        return deferred.left_minor
    if deferred.for_credits:
        return 0
    left, whole = deferred.period.seconds_left(until)
    earned = (deferred.amount_minor - deferred.credited_minor) * (whole - left) // whole
    return max(0, min(earned - deferred.accrued_minor, deferred.left_minor))
