"""Billing periods: months of a time zone, as `[start, end)` in UTC. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain.common.calendar import Window, window_end, window_start, zone_of
from domain.common.errors import Invalid

#: How long after a month its invoices wait for late usage.
LATE_USAGE_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One month in a time zone; it starts at the end of the previous period.

    Attributes:
        month: its first day.
        time_zone: an IANA name.
        starts_at: its first moment, in UTC.
        ends_at: the first moment after it; the next period starts there.
    """

    month: date
    time_zone: str
    starts_at: datetime
    ends_at: datetime

    @property
    def days(self) -> int:
        """How many days the month has."""
        return (next_month(self.month) - self.month).days

    def days_from(self, day: date) -> int:
        """Return the number of days of the month from a day on, including it; 0 if the day is after the month."""
        return max(0, (next_month(self.month) - max(day, self.month)).days)

    def date_of(self, moment: datetime) -> date:
        """Return the day of a moment in the time zone."""
        return moment.astimezone(zone_of(self.time_zone)).date()

    def following(self) -> "Period":
        """Return the next month of the time zone."""
        return period_of(next_month(self.month), self.time_zone)


def next_month(month: date) -> date:
    """Return the first day of the month after that of a day."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def previous_month(month: date) -> date:
    """Return the first day of the month before that of a day."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def period_at(moment: datetime, time_zone: str) -> Period:
    """Return the month of a time zone that holds a moment."""
    return period_of(moment.astimezone(zone_of(time_zone)).date(), time_zone)


def month_at(moment: datetime, time_zone: str) -> date:
    """Return the first day of the month of a time zone that holds a moment."""
    return moment.astimezone(zone_of(time_zone)).date().replace(day=1)


def period_of(day: date, time_zone: str, *, before: str | None = None) -> Period:
    """Return the month of a time zone that holds a day.

    Args:
        day: any of the month.
        time_zone: an IANA name.
        before: the time zone of the previous month, if it was another one. The month then starts where that one ends,
            so no time is billed twice or not at all.
    """
    zone = zone_of(time_zone)
    # Noon of the 15th is within the month in every time zone.
    inside = datetime(day.year, day.month, 15, 12, tzinfo=zone).astimezone(UTC)
    starts_at = window_start(Window.MONTH, inside, zone, 1)
    if before not in {None, time_zone}:
        starts_at = period_of(previous_month(day), before).ends_at
    return Period(
        month=day.replace(day=1),
        time_zone=time_zone,
        starts_at=starts_at,
        ends_at=window_end(Window.MONTH, inside, zone, 1),
    )


def ready_at(month: date, time_zones: Iterable[str]) -> datetime:
    """Return when a month can be invoiced: after the wait for late usage, in the time zone that ends it last."""
    return max(period_of(month, zone).ends_at for zone in {"UTC", *time_zones}) + LATE_USAGE_WAIT


def parse_month(text: str) -> date:
    """Read a month such as `2026-01`.

    Raises:
        Invalid: it has another form, or its year is not 1970 to 9998.
    """
    try:
        if len(text) != 7 or not text.isascii():
            raise ValueError
        month = date.fromisoformat(f"{text}-01")
        # Python has no moment after the end of 9999.
        if not 1970 <= month.year <= 9998:
            raise ValueError
        return month
    except ValueError:
        raise Invalid("A period must be a month such as 2026-01.", extra={"field": "period"}) from None


def month_text(month: date) -> str:
    """Write a month as `parse_month` reads it."""
    return f"{month:%Y-%m}"
