"""A question about metrics, and its answer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.common.calendar import FOREVER, Window, first_moment, window_end, zone_of
from domain.common.errors import Invalid, QueryTooLarge

#: The longest period, and the most rows and intervals of an answer.
LONGEST, MOST_ROWS = timedelta(days=5 * 366), 10_000
#: The most values of an answer: metrics, by interval, group and currency, and once more those compared with.
MOST_VALUES = 50_000
MONDAY = 1

#: A value: minor units of an asset, a count, seconds or a score; a fraction where it is a ratio, a mean or a score,
#: None where there is nothing to divide by.
Value = int | Fraction | None


class Grain(StrEnum):
    """The length of the intervals of an answer."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_STEPS = {Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


class Compare(StrEnum):
    """The period that an answer is compared with."""

    #: The one of the same length before it.
    PREVIOUS = "previous"
    #: The same days of the year before.
    LAST_YEAR = "last_year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question.

    Attributes:
        metrics: names of `domain.insight.metrics.METRICS`.
        since, until: the period, up to but not including `until`.
        by: the dimensions of the rows.
        where: only these values of a dimension.
        grain: one row per interval of this length; None for one for the whole period.
        zone: the IANA zone of the intervals.
        currency: amounts of money are converted into it at each day's rate; None leaves each asset apart.
        limit: the most rows.
    """

    metrics: tuple[str, ...]
    since: datetime
    until: datetime
    by: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grain: Grain | None = None
    zone: str = "UTC"
    compare: Compare | None = None
    currency: str | None = None
    limit: int = 10_000


@dataclass(frozen=True, slots=True)
class MetricFigure:
    """The value of a metric in a row, and of the period compared with; `asset` is None for what is no amount."""

    metric: str
    asset: str | None
    value: Value
    before: Value = None


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One interval of one group: `at` is its start, None without a grain; `group` has the value of each of `by`."""

    at: datetime | None
    group: Mapping[str, str | None]
    figures: tuple[MetricFigure, ...]


@dataclass(frozen=True, slots=True)
class RateUsed:
    """The rate at which a day's amounts were converted, as a decimal string."""

    day: str
    asset: str
    currency: str
    rate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The answer to a question.

    Attributes:
        rows: by interval and group, the intervals in order, within them the largest first value first.
        totals: of all rows, also of those beyond `limit`.
        as_of: the time that the figures are of.
        is_complete: whether the period is over.
        rates: where amounts were converted.
        left_out: assets of which amounts are in no figure, because there is no rate to the currency.
    """

    rows: tuple[QueryRow, ...]
    totals: tuple[MetricFigure, ...]
    as_of: datetime
    is_complete: bool
    rates: tuple[RateUsed, ...] = ()
    left_out: tuple[str, ...] = ()


def check_size(query: Query, rows: int, columns: int) -> None:
    """Refuse an answer of too many values.

    Args:
        query: the question.
        rows: how many intervals or groups it has; no more than its limit are in the answer.
        columns: how many values each of them has, without those compared with.

    Raises:
        TooMuch: the answer would have more than `MOST_VALUES`.
    """
    values = min(rows, query.limit) * columns * (1 if query.compare is None else 2)
    if values > MOST_VALUES:
        raise QueryTooLarge(
            f"The answer would have {values:,} values, and {MOST_VALUES:,} are the most. Ask for fewer metrics, a "
            "longer grain, a shorter period or fewer groups, or send a smaller limit.",
            extra={"field": "metrics"},
        )


def interval_bounds(query: Query) -> list[datetime]:
    """Return the bounds of the intervals, one more than there are: the first and the last may be cut.

    Raises:
        Invalid: the zone is unknown, or the period ends before it begins.
        TooMuch: the period is longer than five years, or has too many intervals or values.
    """
    zone = zone_of(query.zone, "zone")
    if query.since >= query.until:
        raise Invalid("The period ends before it begins.", extra={"field": "to"})
    if query.until - query.since > LONGEST:
        raise QueryTooLarge(
            "A question is about five years at most. Ask for a shorter period.", extra={"field": "from"}
        )
    bounds = [query.since.astimezone(UTC)]
    until = query.until.astimezone(UTC)
    # In UTC all hours and days are equally long; the first one may begin within one.
    step = _STEPS.get(query.grain) if query.grain is not None and zone.key == "UTC" else None
    while (
        query.grain is not None
        and (ends := _end(query.grain, bounds[-1], zone) if step is None or len(bounds) == 1 else bounds[-1] + step)
        < until
    ):
        bounds.append(ends)
        if len(bounds) > MOST_ROWS:
            fits = {Grain.HOUR: "grain `day`, or 400 days"}.get(query.grain, "a longer grain")
            raise QueryTooLarge(
                f"There are more than {MOST_ROWS:,} intervals. Ask for {fits} at most.", extra={"field": "grain"}
            )
    check_size(query, len(bounds), len(query.metrics))
    return [*bounds, until]


def _end(grain: Grain, at: datetime, zone: ZoneInfo) -> datetime:
    if grain is Grain.YEAR:
        year = at.astimezone(zone).year + 1
        return FOREVER if year >= FOREVER.year else first_moment(date(year, 1, 1), zone)
    return window_end(Window(grain.value), at, zone, MONDAY)


def comparison_bounds(query: Query, bounds: Sequence[datetime], now: datetime) -> list[datetime]:
    """Return the bounds of the period that a question is compared with, as many as its own.

    The period before has the same length: as many months if it is made of months, otherwise as many dates of the zone.
    The days of the year before have the same dates; 29 February becomes 28 February. A running period is compared with
    what was over by the same time.
    """
    zone = zone_of(query.zone, "zone")
    (first, opens), (last, closes) = (_dated(bound, zone) for bound in (bounds[0], bounds[-1]))
    months, days = 12, 0
    if query.compare is not Compare.LAST_YEAR:
        are_months = (first.day, opens, last.day, closes) == (1, None, 1, None)
        months = (last.year - first.year) * 12 + last.month - first.month if are_months else 0
        days = (last - first).days + (closes is not None) if opens is None else 0
    found = list[datetime]()
    for bound in bounds:
        moment = max(bounds[0], min(bound, now))
        on, clock = _dated(moment, zone)
        if months:
            on, clock = _months_before(on, clock, months, is_first=not found)
        elif days:
            on -= timedelta(days=days)
        if months or days:
            moved = first_moment(on, zone) if clock is None else datetime.combine(on, clock, zone).astimezone(UTC)
        else:
            moved = moment - (bounds[-1] - bounds[0])
        moved -= timedelta(minutes=moved.minute % 15, seconds=moved.second, microseconds=moved.microsecond)
        # Days that a shorter month does not have are empty.
        found.append(max(moved, found[-1]) if found else moved)
    return found


def _dated(moment: datetime, zone: ZoneInfo) -> tuple[date, time | None]:
    """Return the date of a moment in UTC, and its time of the day; None where the date begins with it.

    Where the clocks skip midnight, a date begins at another time.
    """
    local = moment.astimezone(zone)
    # In UTC: times of two zones are never equal where one of them is ambiguous (PEP 495).
    return local.date(), None if first_moment(local.date(), zone) == moment else local.time()


def _months_before(on: date, clock: time | None, months: int, *, is_first: bool) -> tuple[date, time | None]:
    """Return the same date of an earlier month; where it has none, its end, or for the first bound its last day."""
    index = on.year * 12 + on.month - 1 - months
    year, month = index // 12, index % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    if on.day > last and not is_first:
        return following, None
    return date(year, month, min(on.day, last)), clock
