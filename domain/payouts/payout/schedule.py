"""Schedules of automatic payouts, in the terms of Stripe's payout schedules. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from domain.common.errors import Invalid


class PayoutInterval(StrEnum):
    """Interval of automatic payouts of all available earnings."""

    MANUAL = "manual"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


#: In the order of `date.weekday`.
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutSchedule:
    """Schedule of a creator's payouts; days are UTC.

    Attributes:
        weekly_anchor: the day of the week, for `weekly` only.
        monthly_anchor: the day of the month, for `monthly` only; in a shorter month its last day.
    """

    interval: PayoutInterval = PayoutInterval.MANUAL
    weekly_anchor: str | None = None
    monthly_anchor: int | None = None

    def __post_init__(self) -> None:
        """Refuse an anchor that does not fit the interval; `Invalid` names the field."""
        if (self.weekly_anchor is not None) != (self.interval is PayoutInterval.WEEKLY):
            raise Invalid(
                "weekly_anchor is required with the interval weekly, and not allowed otherwise.",
                extra={"field": "weekly_anchor"},
            )
        if (self.monthly_anchor is not None) != (self.interval is PayoutInterval.MONTHLY):
            raise Invalid(
                "monthly_anchor is required with the interval monthly, and not allowed otherwise.",
                extra={"field": "monthly_anchor"},
            )
        if self.weekly_anchor is not None and self.weekly_anchor not in WEEKDAYS:
            raise Invalid("weekly_anchor must be a day of the week, such as monday.", extra={"field": "weekly_anchor"})
        if self.monthly_anchor is not None and not 1 <= self.monthly_anchor <= 31:
            raise Invalid("monthly_anchor must be a day from 1 to 31.", extra={"field": "monthly_anchor"})

    def next_after(self, day: date) -> date | None:
        """Return the first payout day after this one; None for manual payouts."""
        following = day + timedelta(days=1)
        match self.interval:
            case PayoutInterval.MANUAL:
                return None
            case PayoutInterval.DAILY:
                return following
            case PayoutInterval.WEEKLY:
                ahead = (WEEKDAYS.index(self.weekly_anchor or WEEKDAYS[0]) - following.weekday()) % 7
                return following + timedelta(days=ahead)
            case PayoutInterval.MONTHLY:
                first = following.replace(day=1)
                here = _on(first, self.monthly_anchor or 1)
                return here if here >= following else _on(_next_month(first), self.monthly_anchor or 1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _on(first: date, anchor: int) -> date:
    last = _next_month(first) - timedelta(days=1)
    return first.replace(day=min(anchor, last.day))
