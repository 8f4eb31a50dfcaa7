"""Consecutive half-open periods of a subscription in an organization's time zone.

The n-th period ends n months after the start, at the same time of the same day of the month, or of the month's last day
if it is shorter. Months are always counted from the start, so the next month has the original day again.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

#: More months than any subscription lasts.
MAX_MONTHS = 12 * 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` on, until just before `end`; both aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"a period that starts at {self.start} cannot end at {self.end}")

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def seconds_left(self, at: datetime) -> tuple[int, int]:
        """Return the whole seconds left after a moment, and the period's length in seconds."""
        whole = (self.end - self.start) // timedelta(seconds=1)
        return min(max((self.end - at) // timedelta(seconds=1), 0), whole), whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Start of a sequence of periods: a moment, and the time zone at that time."""

    at: datetime
    zone: str = "UTC"

    def after(self, months: int, zone: str | None = None) -> datetime:
        """Return the time `months` months after the anchor, in UTC.

        The time of day is that of the anchor. If clocks skip it, it is later by the skipped time; if they show it
        twice, the first of the two.

        Args:
            months: zero or more.
            zone: the present time zone; by default that of the anchor.
        """
        if not 0 <= months <= MAX_MONTHS:
            raise ValueError(f"{months} months cannot be counted")
        local = self.at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None, fold=0)
        year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
        day = min(local.day, monthrange(year, month + 1)[1])
        wall = local.replace(year=year, month=month + 1, day=day, tzinfo=ZoneInfo(zone or self.zone))
        return wall.astimezone(UTC)

    def month_of(self, at: datetime, zone: str | None = None) -> Period:
        """Return the number of the month, counted from the anchor, that contains a moment."""
        start, months = self.after(0), 0
        if at < start:
            raise ValueError(f"{at} is before {start}, when the months begin")
        # An estimate that is never too late, then step by step: zones and lengths of months move it by one or two.
        months = max(0, (at - start).days // 31 - 1)
        start = self.after(months, zone) if months else start
        while (end := self.after(months + 1, zone)) <= at:
            start, months = end, months + 1
        return Period(start=start, end=end)
