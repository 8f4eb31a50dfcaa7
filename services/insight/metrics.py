"""Queries of metrics: read the measures, add them up, and apply the formulas."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid, QueryTooLarge
from domain.common.money import CREDIT
from domain.insight.metrics import Measure, MeasureKind, MeasureSource, Metric, MetricUnit, check_dimension, metric_of
from domain.insight.query import (
    MOST_ROWS,
    MetricFigure,
    Query,
    QueryResult,
    QueryRow,
    Value,
    check_size,
    comparison_bounds,
    interval_bounds,
)
from repositories.insight import (
    book_measures,
    engagement,
    event_measures,
    score_measures,
    spend_measures,
    spent,
    usage_measures,
)
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery
from repositories.insight.rates import Rates
from repositories.returns import roi
from runtime.compute_thread import run_in_thread

_DAY = timedelta(days=1)
_MICROSECONDS = _DAY // timedelta.resolution
_READERS: Mapping[MeasureSource, Callable[[MeasureQuery], Awaitable[list[MeasurePart]]]] = {
    MeasureSource.SPENDS: spend_measures.read,
    MeasureSource.SPENT: spent.measures,
    MeasureSource.USAGE: usage_measures.read,
    MeasureSource.EVENTS: event_measures.read,
    MeasureSource.LINES: book_measures.lines,
    MeasureSource.REVENUE: book_measures.revenue,
    MeasureSource.EARNINGS: book_measures.earnings,
    MeasureSource.CREDITS: book_measures.credits,
    MeasureSource.WALLETS: book_measures.balances,
    MeasureSource.ACTIVITY: engagement.read,
    MeasureSource.REPUTATION: score_measures.read,
    MeasureSource.RETURNS: roi.measures,
}
#: The sums of a row by asset, which is empty unless they are amounts.
_Sums = dict[str, dict[Measure, int | Fraction]]
_Group = tuple[str | None, ...]
#: A reader's parts and measures, whether these have no dimensions, and each day's interval and moment.
_Read = tuple[list[MeasurePart], dict[str, Measure], bool, Sequence[int], list[datetime]]
#: The sums of each interval and group, and those of the whole period.
_Whole = tuple[dict[tuple[int, _Group], _Sums], _Sums]


@dataclass(frozen=True, slots=True)
class _CheckedQuery:
    """A query with checked metrics."""

    session: AsyncSession
    org_id: str | None
    query: Query
    metrics: Sequence[Metric]
    now: datetime

    @property
    def measures(self) -> frozenset[Measure]:
        return frozenset(measure for metric in self.metrics for measure in metric.measures)


async def run_query(session: AsyncSession, query: Query, *, org_id: str | None, now: datetime) -> QueryResult:
    """Run a query. Its figures are computed in a thread, because that can take a second.

    Args:
        session: of the organization at its own role, or of the platform; in one snapshot.
        query: the query.
        org_id: the organization; None for all together.
        now: the time of the figures.

    Raises:
        Invalid: the period does not suit the metrics, or there is no rate for a conversion.
    """
    metrics = check_query(query, platform=org_id is None)
    bounds = interval_bounds(query)
    _check_bounds(bounds, metrics, now)
    asked = _CheckedQuery(session, org_id, query, metrics, now)
    rates = None if query.currency is None else Rates(session, query.currency)
    rows, totals = await _period(asked, bounds, rates)
    if query.compare is not None:
        before = comparison_bounds(query, bounds, now)
        rows_before, totals_before = await _period(asked, before, rates)
        # What there was only before has a row too: nothing is what became of it.
        rows = {key: rows.get(key, {}) for key in rows.keys() | rows_before.keys()}
    else:
        rows_before, totals_before = {}, {}
    return await run_in_thread(_answer, asked, bounds, rates, (rows, totals), (rows_before, totals_before))


def _answer(
    asked: _CheckedQuery, bounds: Sequence[datetime], rates: Rates | None, found: _Whole, before: _Whole
) -> QueryResult:
    query, (rows, totals), (rows_before, totals_before) = asked.query, found, before
    if len(rows) > MOST_ROWS and query.limit >= MOST_ROWS:
        raise QueryTooLarge(
            f"The answer has more than {MOST_ROWS:,} rows. Group by less, choose a longer grain, or send a limit.",
            extra={"field": "by"},
        )
    in_credits = CREDIT if asked.org_id is None else query.currency or CREDIT
    columns = _columns(asked.metrics, (totals, totals_before, *rows.values()), in_credits)
    check_size(query, len(rows), len(columns))
    is_compared = query.compare is not None

    def order(key: tuple[int, _Group]) -> tuple[Any, ...]:
        return (key[0], *_largest_first(_value(*columns[0], rows[key])), tuple(name or "" for name in key[1]))

    shown = [
        QueryRow(
            None if query.grain is None else bounds[place],
            dict(zip(query.by, group, strict=True)),
            _figures(columns, rows[place, group], rows_before.get((place, group), {}), is_compared=is_compared),
        )
        for place, group in sorted(rows, key=order)[: query.limit]
    ]
    return QueryResult(
        rows=tuple(shown),
        totals=_figures(columns, totals, totals_before, is_compared=is_compared),
        as_of=asked.now,
        is_complete=query.until <= asked.now,
        rates=() if rates is None else rates.used(),
        left_out=() if rates is None else tuple(sorted(rates.left_out)),
    )


def _largest_first(value: Value) -> tuple[bool, int | Fraction]:
    return value is None, -(value or 0)


def check_query(query: Query, *, platform: bool) -> list[Metric]:
    """Return the metrics of a query, checked with its dimensions.

    Raises:
        Invalid: metrics and dimensions do not fit together.
    """
    metrics = [metric_of(name, platform=platform) for name in query.metrics]
    for metric in metrics:
        for name in query.by:
            check_dimension(metric, name)
        for name in query.where:
            check_dimension(metric, name, field="where")
        if metric.one_dimension and len({*query.by, *query.where}) > 1:
            raise Invalid(
                f"The metric {metric.name} can be grouped by one dimension at a time. Leave out the others.",
                extra={"field": "by"},
            )
        if metric.needs_currency and query.currency is None:
            raise Invalid(
                f"The metric {metric.name} compares credits with money. Send a currency.", extra={"field": "currency"}
            )
    if not metrics:
        raise Invalid("Name at least one metric.", extra={"field": "metrics"})
    if len(set(query.metrics)) < len(query.metrics) or len(set(query.by)) < len(query.by):
        raise Invalid("A metric or a dimension is named twice.", extra={"field": "metrics"})
    return metrics


def _check_bounds(bounds: Sequence[datetime], metrics: Sequence[Metric], now: datetime) -> None:
    past = [bound for bound in bounds if bound < now]
    for metric in metrics:
        if metric.is_by_utc_day and any(bound.time() != time() for bound in past):
            raise Invalid(
                f"The metric {metric.name} is available by UTC day only. Query days in the zone UTC.",
                extra={"field": "zone"},
            )
    if any(bound.minute % 15 or bound.second or bound.microsecond for bound in past):
        raise Invalid("A period begins and ends at a quarter of an hour.", extra={"field": "from"})


async def _period(asked: _CheckedQuery, bounds: Sequence[datetime], rates: Rates | None) -> _Whole:
    """Return the sums of each interval and group, and those of the whole period."""
    by = asked.query.by
    found = await _sums(asked, asked.measures, bounds, rates)
    totals: _Sums = defaultdict(dict)
    added = {measure for measure in asked.measures if measure.sum is MeasureKind.FLOW and not (by and measure.is_whole)}

    def add() -> None:
        for sums in found.values():
            for asset, of_asset in sums.items():
                for measure in added & of_asset.keys():
                    totals[asset][measure] = totals[asset].get(measure, 0) + of_asset[measure]

    await run_in_thread(add)
    # What does not add up is read again, without groups: of the whole period, or of its last interval that has begun.
    # Of a period that is compared with, intervals that are not over by the same time are empty.
    begun = max(
        (place for place, (begins, ends) in enumerate(pairwise(bounds)) if begins < min(ends, asked.now)), default=0
    )
    again = asked.measures - added
    stocks = frozenset(measure for measure in again if measure.sum is MeasureKind.STOCK)
    whole = replace(asked, query=replace(asked.query, by=()))
    for measures, within in ((again - stocks, [bounds[0], bounds[-1]]), (stocks, bounds[begun : begun + 2])):
        for sums in (await _sums(whole, measures, within, rates)).values() if measures else ():
            _merge(totals, sums)
    if asked.query.grain is not None and not by:
        for place in range(begun + 1):
            found.setdefault((place, ()), defaultdict(dict))
    return {key: sums for key, sums in found.items() if key[0] <= begun}, totals


async def _sums(
    asked: _CheckedQuery, measures: frozenset[Measure], bounds: Sequence[datetime], rates: Rates | None
) -> dict[tuple[int, _Group], _Sums]:
    query = asked.query
    found: dict[tuple[int, _Group], _Sums] = defaultdict(lambda: defaultdict(dict))
    whole: dict[int, _Sums] = defaultdict(lambda: defaultdict(dict))
    read, number = list[_Read](), 0
    together: dict[tuple[MeasureSource, bool, bool], set[Measure]] = defaultdict(set)
    for measure in measures:
        together[measure.source, measure.is_whole, measure.sum is MeasureKind.FLOW].add(measure)
    for (source, is_whole, is_flow), these in together.items():
        named = {measure.name: measure for measure in these}
        # What flows is converted day by day, and what stands when its interval ends.
        days, places = _days_of(bounds) if rates is not None and is_flow else (list(bounds), range(len(bounds) - 1))
        wanted = MeasureQuery(
            session=asked.session,
            org_id=asked.org_id,
            measures=frozenset(named),
            bounds=days,
            by=() if is_whole else query.by,
            where={} if is_whole else query.where,
            now=asked.now,
            currency=query.currency,
        )
        parts = _elapsed_days(wanted) if source is MeasureSource.CLOCK else await _READERS[source](wanted)
        number += len(parts)
        if number >= MAX_ROWS:
            raise QueryTooLarge(
                f"There are more than {MAX_ROWS:,} sums to add up. Group by less, or choose a longer grain.",
                extra={"field": "by"},
            )
        # The last moment of each: at its end the rate is the next day's.
        moments = [min(ends, asked.now) - timedelta.resolution for ends in days[1:]]
        if rates is not None:
            shown = [
                (part, named[part.measure].shown_in(part.asset, rates.currency))
                for part in parts
                if part.asset and part.measure in named
            ]
            # Of a figure in money the credits are another measure, and nothing is left out.
            rates.left_out |= {part.asset for part, asset in shown if asset is None} - {CREDIT}
            asked_for = [(part.asset, moments[part.place]) for part, asset in shown if asset == rates.currency]
            await rates.load(asked_for, leaves_out=True)
        read.append((parts, named, is_whole, places, moments))

    await run_in_thread(_add_up, read, rates, found, whole)
    if not query.by:
        for place, sums in whole.items():
            _merge(found[place, ()], sums)
    for (place, _), sums in found.items() if query.by else ():
        _merge(sums, whole[place])
    return found


def _add_up(
    read: Iterable[_Read], rates: Rates | None, found: dict[tuple[int, _Group], _Sums], whole: dict[int, _Sums]
) -> None:
    for parts, named, is_whole, places, moments in read:
        for place, group, name, asset, value in parts:
            if name not in named:
                continue
            measure = named[name]
            if asset and rates is not None:
                shown = measure.shown_in(asset, rates.currency)
                if shown is None or (shown == rates.currency and not rates.known(asset, moments[place])):
                    continue
                if shown == rates.currency:
                    value, asset = rates.converted(value, asset, moments[place]), shown
            sums = whole[places[place]] if is_whole else found[places[place], group]
            sums[asset][measure] = sums[asset].get(measure, 0) + value


def _merge(into: _Sums, sums: _Sums) -> None:
    for asset, of_asset in sums.items():
        into[asset].update(of_asset)


def _elapsed_days(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `days`, the elapsed days of each interval."""
    return [
        MeasurePart(
            place, (), "days", "", Fraction((min(ends, wanted.now) - begins) // timedelta.resolution, _MICROSECONDS)
        )
        for place, (begins, ends) in enumerate(pairwise(wanted.bounds))
        if begins < wanted.now
    ]


def _days_of(bounds: Sequence[datetime]) -> tuple[list[datetime], list[int]]:
    """Return the bounds of the days (UTC) in the intervals, and the interval of each day."""
    found, places = [bounds[0]], list[int]()
    for place, ends in enumerate(bounds[1:]):
        while (midnight := datetime.combine(found[-1].date() + _DAY, time(), UTC)) < ends:
            found.append(midnight)
            places.append(place)
        found.append(ends)
        places.append(place)
    return found, places


def _columns(metrics: Sequence[Metric], all_sums: Iterable[_Sums], in_credits: str) -> list[tuple[Metric, str | None]]:
    """Return the columns in order: each metric, or each asset of an amount."""
    assets: dict[str, set[str]] = defaultdict(set)
    for sums in all_sums:
        for asset, of_asset in sums.items():
            for metric in metrics if asset else ():
                if metric.measures & of_asset.keys():
                    assets[metric.name].add(asset)
    of: dict[str, Sequence[str | None]] = {
        metric.name: [*sorted(assets[metric.name])] or [metric.asset_of_none and in_credits] for metric in metrics
    }
    return [(metric, asset) for metric in metrics for asset in of[metric.name]]


def _figures(
    columns: Sequence[tuple[Metric, str | None]], sums: _Sums, before: _Sums, *, is_compared: bool
) -> tuple[MetricFigure, ...]:
    return tuple(
        MetricFigure(
            metric.name,
            asset if metric.unit in {MetricUnit.AMOUNT, MetricUnit.RATIO} else None,
            _value(metric, asset, sums),
            _value(metric, asset, before) if is_compared else None,
        )
        for metric, asset in columns
    )


def _value(metric: Metric, asset: str | None, sums: _Sums) -> Value:
    """Apply a metric's formula to the sums of an asset and those without one."""
    return metric.value({**sums.get("", {}), **(sums.get(asset, {}) if asset else {})})
