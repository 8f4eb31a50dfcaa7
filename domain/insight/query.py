"""A question about metrics, and its answer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

#: A value: minor units of an asset, a count, seconds or hundredths of a score; a fraction where it is a ratio or a mean,
#: None where there is nothing to divide by or no value.
Value = int | Fraction | None


class Grain(StrEnum):
    """The length of the intervals of an answer."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


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
        currency: amounts are converted into it at each day's rate; None leaves each asset apart.
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
class Figure:
    """The value of a metric in a row, and of the period compared with; `asset` is None for what is no amount."""

    metric: str
    asset: str | None
    value: Value
    before: Value = None


@dataclass(frozen=True, slots=True)
class Row:
    """One interval of one group: `at` is its start, None without a grain; `group` has the value of each of `by`."""

    at: datetime | None
    group: Mapping[str, str | None]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class RateUsed:
    """The rate at which a day's amounts were converted, as a decimal string."""

    day: str
    asset: str
    currency: str
    rate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a question.

    Attributes:
        rows: by interval and group, the intervals in order, within them the largest first value first.
        totals: of all rows, also of those beyond `limit`.
        as_of: the time that the figures are of.
        is_complete: whether the period is over.
        rates: where amounts were converted.
    """

    rows: tuple[Row, ...]
    totals: tuple[Figure, ...]
    as_of: datetime
    is_complete: bool
    rates: tuple[RateUsed, ...] = ()
