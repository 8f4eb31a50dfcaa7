"""Revenue recognition of subscriptions: by the days of the period, except for the cost of its credits.

Credits carry their price and become revenue as they are used. The rest of a bill, which is for the plan itself, accrues
by the second and is booked for each day; the cost of credits that were not granted is revenue when the period is over.
What is credited of a bill takes first what is left for the plan, so months to come are granted as far as they are paid.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain.common.period import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredRevenue:
    """The deferred revenue of a bill, in minor units.

    Attributes:
        amount_minor: what was received, without tax.
        period: what it was for.
        for_credits_minor: the part of it that its credits cost; the rest is for the plan itself.
        granted_minor: the cost of the credits granted so far.
        accrued_minor: what is revenue so far.
        credited_minor: what credit notes have taken back.
    """

    amount_minor: int
    period: Period
    for_credits_minor: int
    granted_minor: int = 0
    accrued_minor: int = 0
    credited_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What was neither granted as credits, nor recognised as revenue, nor credited."""
        return self.amount_minor - self.credited_minor - self.granted_minor - self.accrued_minor

    @property
    def credits_left_minor(self) -> int:
        """The money for credits that were not granted, and was not credited; also where it is revenue by now."""
        of_plan = min(self.accrued_minor, self.amount_minor - self.for_credits_minor)
        left = self.amount_minor - self.granted_minor - self.credited_minor - of_plan
        return min(self.for_credits_minor - self.granted_minor, left)


def first_day(period: Period, settled_at: datetime, *, only_credits: bool) -> date:
    """Return the first day, in UTC, that something of a bill is booked for; never one before it was settled.

    Nothing of a bill that is for credits alone is, before its period ends.
    """
    begins = period.end - timedelta(microseconds=1) if only_credits else period.start
    return max(begins, settled_at).astimezone(UTC).date()


def revenue_to_book(deferred: DeferredRevenue, until: datetime, *, awaits_credits: bool = False) -> int:
    """Return the further revenue up to a time; never more than is left.

    With `awaits_credits`, the credits of the bill are granted once it is paid, however late that is: what they cost is
    no revenue before.
    """
    if until >= deferred.period.end:
        return max(0, deferred.left_minor - (deferred.credits_left_minor if awaits_credits else 0))
    left, whole = deferred.period.seconds_left(until)
    of_plan = deferred.amount_minor - deferred.for_credits_minor - deferred.credited_minor
    earned = of_plan * (whole - left) // whole
    return max(0, min(earned - deferred.accrued_minor, deferred.left_minor))
