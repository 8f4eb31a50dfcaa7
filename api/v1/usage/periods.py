"""Period of a report: moments (`from`, `to`) or days in UTC (`start_date`, `end_date`)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import Query

from api.fields import Day, Moment
from domain.common.errors import Invalid

Since = Annotated[Moment | None, Query(alias="from", description="At or after this time.")]
Until = Annotated[Moment | None, Query(alias="to", description="Before this time.")]
StartDate = Annotated[Day | None, Query(description="From this day (UTC) on; instead of `from`.")]
EndDate = Annotated[Day | None, Query(description="Up to and including this day (UTC); instead of `to`.")]

#: The default and the maximum length of a summary's period.
DEFAULT_DAYS, MOST_DAYS = 30, 400
_DAY = timedelta(days=1)
_FIRST, _LAST = date(1970, 1, 1), date(9998, 12, 30)


@dataclass(frozen=True, slots=True)
class Period:
    """A period from `since` to `until`, exclusive; None is open on that side."""

    since: datetime | None
    until: datetime | None


def period(since: datetime | None, until: datetime | None, start_date: date | None, end_date: date | None) -> Period:
    """Return the requested period.

    Raises:
        Invalid: an end is given twice, a day is out of range, or it ends before it begins.
    """
    for given, day, name in ((since, start_date, "start_date"), (until, end_date, "end_date")):
        if given is not None and day is not None:
            other = "from" if name == "start_date" else "to"
            raise Invalid(f"Send {name} or {other}, not both.", extra={"field": name})
        if day is not None and not _FIRST <= day <= _LAST:
            raise Invalid(f"This day is out of range. Send one from {_FIRST} to {_LAST}.", extra={"field": name})
    asked = Period(
        since if start_date is None else _midnight(start_date),
        until if end_date is None else _midnight(end_date + _DAY),
    )
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise Invalid("The period ends before it begins. Send an end after the beginning.", extra={"field": "from"})
    return asked


def days(asked: Period, now: datetime) -> tuple[date, date]:
    """Return the whole days in UTC that a period touches: the first one, and the one after the last.

    Raises:
        Invalid: they exceed the maximum of a report.
    """
    last = now.date() if asked.until is None else (asked.until - timedelta(microseconds=1)).date()
    first = last - (DEFAULT_DAYS - 1) * _DAY if asked.since is None else asked.since.date()
    if first > last or last - first >= MOST_DAYS * _DAY:
        raise Invalid(f"A report covers 1 to {MOST_DAYS} days. Send a period of that length.", extra={"field": "from"})
    return first, last + _DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
