"""One metric over time as a few series, for charts. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.insight.metrics import Metric, MetricUnit
from domain.insight.query import QueryResult, Value

#: How many intervals a series has at most, and how many groups; what is in no shown group is `OTHERS`.
MAX_POINTS, MAX_GROUPS = 400, 10
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one group, one for each interval; None where there is nothing to divide by."""

    group: str | None
    values: tuple[Value, ...]


def series_of(answer: QueryResult, bounds: Sequence[datetime], metric: Metric, currency: str) -> list[Series]:
    """Return the series of an answer about one metric with a grain, the largest groups first.

    Values that add up have the small groups added up as `OTHERS`. Of amounts only those in `currency` are shown.
    """
    number = len(bounds) - 1
    missing: Value = None if "/" in metric.formula else 0
    sums: dict[str | None, list[Value]] = {}
    for row in answer.rows:
        assert row.at is not None
        values = sums.setdefault(next(iter(row.group.values()), None), [missing] * number)
        place = bisect_right(bounds, row.at) - 1
        for figure in row.figures:
            if figure.asset in {None, currency}:
                values[place] = figure.value
    if metric.unit is MetricUnit.AMOUNT:
        sums = {group: values for group, values in sums.items() if any(values)} or {None: [missing] * number}
    ordered = sorted(sums, key=lambda group: (-sum(value or 0 for value in sums[group]), group or ""))
    shown = ordered if len(ordered) <= MAX_GROUPS or not metric.adds_up else ordered[: MAX_GROUPS - 1]
    found = [Series(group, tuple(sums[group])) for group in shown[:MAX_GROUPS]]
    rest = [sums[group] for group in ordered[len(shown) :]]
    if rest:
        found.append(Series(OTHERS, tuple(sum(each[place] or 0 for each in rest) for place in range(number))))
    return found or [Series(None, tuple([missing] * number))]
