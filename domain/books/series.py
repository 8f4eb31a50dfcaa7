"""Figures over time: which there are, and the intervals that they are shown by. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.books.account_statement import StatementPeriod
from domain.common.calendar import Window, window_end, window_start
from domain.common.errors import Invalid

#: How many intervals a series has at most, and how many groups; what is in no shown group is `OTHERS`.
MAX_POINTS, MAX_GROUPS = 400, 10
OTHERS = "others"
MONDAY = 1


class Metric(StrEnum):
    """The metric of a series."""

    BALANCE = "balance"  # what the wallet held when the interval ended
    SPENT = "spent"  # credits used and not refunded, by the day of the use
    PAYMENTS = "payments"  # how many were asked for
    PAID = "paid"  # what was received by payments that were asked for in the interval
    EARNED = "earned"  # what came into the earnings of agents
    ESCROW_HELD = "escrow_held"  # what all escrows held when the interval ended
    COMMISSION = "commission"  # the platform's


class Grouping(StrEnum):
    """How a series is grouped."""

    ACTION = "action"
    AGENT = "agent"
    DEPARTMENT = "department"
    MODEL = "model"
    STATUS = "status"


class SeriesInterval(StrEnum):
    """The length of an interval."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


#: By what each metric can be split.
GROUPINGS: Mapping[Metric, frozenset[Grouping]] = {
    Metric.BALANCE: frozenset(),
    Metric.SPENT: frozenset({Grouping.ACTION, Grouping.AGENT, Grouping.DEPARTMENT, Grouping.MODEL}),
    Metric.PAYMENTS: frozenset({Grouping.STATUS}),
    Metric.PAID: frozenset({Grouping.STATUS}),
    Metric.EARNED: frozenset({Grouping.AGENT}),
    Metric.ESCROW_HELD: frozenset(),
    Metric.COMMISSION: frozenset(),
}
#: What is added up by days in UTC, so that no other days can be had of it.
BY_DAY = frozenset({Metric.SPENT, Metric.ESCROW_HELD, Metric.COMMISSION})
OF_AN_ORGANIZATION = frozenset({Metric.BALANCE, Metric.SPENT, Metric.EARNED})
OF_THE_PLATFORM = frozenset({Metric.ESCROW_HELD, Metric.COMMISSION})


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one group, one for each interval; None where there is nothing to show. Minor units, or a count."""

    group: str | None
    values: tuple[int | None, ...]


def intervals(period: StatementPeriod, interval: SeriesInterval, zone: ZoneInfo) -> list[datetime]:
    """Return the bounds of the intervals that hold a period, one more than there are intervals, in UTC.

    Raises:
        Invalid: there are more than `MAX_POINTS`.
    """
    window = Window(interval.value)
    bounds = [window_start(window, period.since, zone, MONDAY)]
    while bounds[-1] < period.until:
        if len(bounds) > MAX_POINTS:
            raise Invalid(
                f"A series has at most {MAX_POINTS} intervals. Choose a shorter period or a longer interval.",
                extra={"field": "interval"},
            )
        bounds.append(window_end(window, bounds[-1], zone, MONDAY))
    return bounds


def check(metric: Metric, grouping: Grouping | None, interval: SeriesInterval, *, of_all: bool) -> None:
    """Refuse a combination that a metric does not support.

    Raises:
        Invalid: the combination is not supported.
    """
    if grouping is not None and grouping not in GROUPINGS[metric]:
        known = ", ".join(sorted(GROUPINGS[metric])) or "nothing"
        raise Invalid(f"The metric {metric} can be grouped by {known}.", extra={"field": "group_by"})
    if metric in BY_DAY and interval is SeriesInterval.HOUR:
        raise Invalid(
            f"The metric {metric} is added up by day. Choose day, week or month.", extra={"field": "interval"}
        )
    if metric in OF_AN_ORGANIZATION and of_all:
        raise Invalid("Name the organization with organization_id.", extra={"field": "organization_id"})
    if metric in OF_THE_PLATFORM and not of_all:
        raise Invalid(f"The metric {metric} is for operators, without organization_id.", extra={"field": "metric"})


def place_of(moment: datetime, bounds: Sequence[datetime]) -> int | None:
    """Return the interval that holds a moment; None where none does."""
    low, high = 0, len(bounds) - 1
    if not bounds[0] <= moment < bounds[-1]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bounds[middle] <= moment else (low, middle)
    return low


def largest(sums: Mapping[str | None, Mapping[int, int]], number: int) -> list[Series]:
    """Return the series of the groups with the largest sums, the largest first, and of all others together.

    Args:
        sums: by group and interval.
        number: how many intervals there are.
    """
    ordered = sorted(sums, key=lambda group: (-sum(sums[group].values()), group or ""))
    shown = ordered if len(ordered) <= MAX_GROUPS else ordered[: MAX_GROUPS - 1]
    found = [Series(group, tuple(sums[group].get(place, 0) for place in range(number))) for group in shown]
    rest = [sums[group] for group in ordered[len(shown) :]]
    if rest:
        added = tuple(sum(one.get(place, 0) for one in rest) for place in range(number))
        found.append(Series(OTHERS, added))
    return found or [Series(None, (0,) * number)]
