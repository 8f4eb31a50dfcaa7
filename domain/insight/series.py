"""Series of a metric over time, for charts. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.insight.metrics import Metric, MetricUnit
from domain.insight.query import QueryResult, Value

#: The maximum number of intervals and groups; further groups are added up as `OTHERS`.
MAX_POINTS, MAX_GROUPS = 400, 10
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Series:
    """Values of a group by interval; None for a division by zero."""

    group: str | None
    values: tuple[Value, ...]


def series_of(answer: QueryResult, bounds: Sequence[datetime], metric: Metric, currency: str) -> list[Series]:
    """Return the series of a query result about one metric with a grain, the largest groups first.

    Small groups are added up as `OTHERS` if values add up. Amounts in other currencies than `currency` are left out.
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
