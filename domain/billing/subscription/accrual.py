"""Revenue recognition of subscriptions: by the days of the period, except for the cost of its credits.

Credits carry their price and become revenue as they are used. The rest of a bill, which is for the plan itself, accrues
by the second and is booked for each day; the cost of credits that were not granted is revenue when the period is over.
A credit note first takes what is left for the plan, so that coming months are granted as far as they are paid.
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
        for_credits_minor: the part that its credits cost; the rest is for the plan itself.
        granted_minor: the cost of the credits granted so far.
        accrued_minor: the revenue recognised so far.
        credited_minor: the sum of its credit notes.
    """

    amount_minor: int
    period: Period
    for_credits_minor: int
    granted_minor: int = 0
    accrued_minor: int = 0
    credited_minor: int = 0

    @property
    def left_minor(self) -> int:
        """The amount neither granted as credits, nor recognised as revenue, nor credited."""
        return self.amount_minor - self.credited_minor - self.granted_minor - self.accrued_minor

    @property
    def credits_left_minor(self) -> int:
        """The price of credits that were not granted, unless it was credited; it may already be revenue."""
        of_plan = min(self.accrued_minor, self.amount_minor - self.for_credits_minor)
        left = self.amount_minor - self.granted_minor - self.credited_minor - of_plan
        return min(self.for_credits_minor - self.granted_minor, left)


def first_day(period: Period, settled_at: datetime, *, only_credits: bool) -> date:
    """Return the first day (UTC) with revenue from a bill, at the earliest the day on which it was settled.

    A bill for credits alone has none before its period ends.
    """
    begins = period.end - timedelta(microseconds=1) if only_credits else period.start
    return max(begins, settled_at).astimezone(UTC).date()


def revenue_to_book(deferred: DeferredRevenue, until: datetime, *, awaits_credits: bool = False) -> int:
    """Return the revenue to book up to a time; at most what is left.

    With `awaits_credits`, the bill's credits are granted once it is paid, and their cost is not revenue before.
    """
    if until >= deferred.period.end:
        return max(0, deferred.left_minor - (deferred.credits_left_minor if awaits_credits else 0))
    left, whole = deferred.period.seconds_left(until)
    of_plan = deferred.amount_minor - deferred.for_credits_minor - deferred.credited_minor
    earned = of_plan * (whole - left) // whole
    return max(0, min(earned - deferred.accrued_minor, deferred.left_minor))
