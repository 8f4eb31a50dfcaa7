"""Start and end of the windows of a spend control. `ledger/sql/calendar.sql` has the same rules in SQL.

Windows of a zone have no gaps and no overlaps, also when its clocks change: a day begins with the first moment of its
date, and hours are counted from there. So the last hour of a day on which the clocks change by half an hour has thirty
minutes.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.common.errors import Invalid


class Window(StrEnum):
    """The window over which a limit is counted, from the shortest to the longest."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    LIFETIME = "lifetime"


UTC_ZONE = ZoneInfo("UTC")
#: The bounds of a lifetime.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

_HOUR = timedelta(hours=1)


def zone_of(name: str, field: str = "time_zone") -> ZoneInfo:
    """Return the time zone of an IANA name, such as `Europe/Vienna` or `UTC`, that was given as `field`.

    Raises:
        Invalid: the zone is unknown, or the name is misspelt.
    """
    # A name of a region is a path of the database; the others are no places, and PostgreSQL takes them for its own.
    known = name == "UTC" or "/" in name
    try:
        if known and not name.startswith(("posix/", "right/")):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise Invalid(
        f"There is no time zone {name[:60]!r}. Name one of the IANA database, such as Europe/Vienna or UTC.",
        extra={"field": field},
    )


def window_start(window: Window, at: datetime, zone: ZoneInfo, week_starts: int) -> datetime:
    """Return the start of the window that contains a moment, in UTC.

    Args:
        window: the kind of window.
        at: the moment, timezone-aware.
        zone: the time zone of the control.
        week_starts: the first day of the week, 1 for Monday to 7 for Sunday.
    """
    if window is Window.LIFETIME:
        return BEGINNING
    starts = first_moment(_first_date(window, at.astimezone(zone).date(), week_starts), zone)
    if window is Window.HOUR:
        starts += (at - starts) // _HOUR * _HOUR
    return starts


def window_end(window: Window, at: datetime, zone: ZoneInfo, week_starts: int) -> datetime:
    """Return the end of the window that contains a moment, in UTC; the next window starts then."""
    if window is Window.LIFETIME:
        return FOREVER
    first = _first_date(window, at.astimezone(zone).date(), week_starts)
    if window is Window.HOUR:
        return min(window_start(window, at, zone, week_starts) + _HOUR, first_moment(first + timedelta(days=1), zone))
    if window in {Window.DAY, Window.WEEK}:
        return first_moment(first + timedelta(days=1 if window is Window.DAY else 7), zone)
    months = first.month + (1 if window is Window.MONTH else 3)
    return first_moment(date(first.year + (months - 1) // 12, (months - 1) % 12 + 1, 1), zone)


def _first_date(window: Window, on: date, week_starts: int) -> date:
    match window:
        case Window.WEEK:
            return on - timedelta(days=(on.isoweekday() - week_starts) % 7)
        case Window.MONTH:
            return on.replace(day=1)
        case Window.QUARTER:
            return on.replace(month=(on.month - 1) // 3 * 3 + 1, day=1)
        case _:
            return on


def first_moment(on: date, zone: ZoneInfo) -> datetime:
    """Return the start of a date in a zone, in UTC."""
    # The first of two midnights; if the clocks skip midnight, the moment of the skip (PEP 495, fold=0).
    return datetime.combine(on, time(), zone).astimezone(UTC)
