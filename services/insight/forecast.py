"""Daily forecast of a metric, and of the date on which credits run out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid
from domain.common.money import CREDIT
from domain.insight import runway
from domain.insight.forecast import (
    LEVELS,
    SUM_LEVEL,
    Backtest,
    Forecast,
    ForecastMetric,
    Method,
    figures_used,
    forecast,
)
from domain.insight.metrics import metric_of
from domain.insight.query import Grain, Query
from domain.insight.runway import BalanceChange, CreditBooks
from repositories.billing import subscription
from repositories.insight import runway as store
from runtime.compute_thread import run_in_thread
from services.insight.metrics import run_query

#: The season of days.
_WEEK = 7
_DAY = timedelta(days=1)
#: The scale of scores: thousandths of a point, up to 10.
SCORE_SCALE = 1_000
_BOUNDS: Mapping[ForecastMetric, tuple[int | None, int | None]] = {
    ForecastMetric.SPENDING: (0, None),
    ForecastMetric.REVENUE: (None, None),
    ForecastMetric.REPUTATION: (0, 10 * SCORE_SCALE),
}


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """A day of a forecast: value, and ends of the interval of each of `LEVELS`."""

    day: date
    value: int
    intervals: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutDates:
    """Dates on which a balance runs out; None if not within the forecast.

    Attributes:
        day: by the forecast.
        earliest, latest: the ends of the interval of `SUM_LEVEL` percent; the earliest ignores unpaid credits.
        changes: additions and expiries from the ledger, in order.
    """

    day: date | None
    earliest: date | None
    latest: date | None
    changes: tuple[BalanceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricForecast:
    """Forecast of a metric, in minor units of `asset` or thousandths of a point, without amounts in `left_out`."""

    asset: str | None
    points: tuple[ForecastDay, ...]
    method: Method
    season: int
    backtest: Backtest
    runs_out: RunOutDates | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _History:
    """Values of past days from the first one on, and of today so far."""

    asset: str | None
    figures: list[int]
    today: int
    left_out: tuple[str, ...]


async def forecast_metric(
    session: AsyncSession,
    metric: ForecastMetric,
    *,
    org_id: str | None,
    where: Mapping[str, tuple[str, ...]],
    currency: str | None,
    days: int,
    now: datetime,
) -> MetricForecast:
    """Forecast a metric for the days from today on, in UTC.

    Args:
        session: as `run_query` takes it.
        metric: the metric.
        org_id: the organization; None for all together.
        where: filters: values by dimension.
        currency: amounts are converted into it at each day's rate.
        days: the number of days.
        now: the time.

    Raises:
        Unknown, Invalid: as `run_query`; `forecast.too_short`; no currency was chosen for amounts in several.
    """
    metric_of(metric.value, platform=org_id is None, field="metric")
    source = ForecastMetric.SPENDING if metric is ForecastMetric.BALANCE else metric
    history = await _history(session, source, org_id, where, currency, days, now)
    made = await run_in_thread(forecast, history.figures, steps=days, season=_WEEK, unit="days")
    today = now.astimezone(UTC).date()
    if metric is ForecastMetric.BALANCE:
        assert org_id is not None
        points, runs_out = await _balance(session, org_id, made, history.today, now)
    else:
        points, runs_out = _points(made, today, *_BOUNDS[metric]), None
    return MetricForecast(
        asset=history.asset,
        points=points,
        method=made.method,
        season=made.season,
        backtest=made.backtest,
        runs_out=runs_out,
        left_out=history.left_out,
    )


async def _history(
    session: AsyncSession,
    metric: ForecastMetric,
    org_id: str | None,
    where: Mapping[str, tuple[str, ...]],
    currency: str | None,
    days: int,
    now: datetime,
) -> _History:
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    query = Query(
        metrics=(metric.value,),
        since=today - figures_used(days, _WEEK) * _DAY,
        until=today + _DAY,
        where=where,
        grain=Grain.DAY,
        currency=currency,
    )
    answer = await run_query(session, query, org_id=org_id, now=now)
    # Of what is spent, credits are forecast: they are what the balance holds.
    spends = metric is ForecastMetric.SPENDING
    rows = [[each for each in row.figures if not spends or each.asset == CREDIT] for row in answer.rows]
    assets = {figure.asset for row in rows for figure in row}
    if len(assets) > 1:
        known = ", ".join(sorted(asset for asset in assets if asset is not None))
        raise Invalid(f"There are amounts in {known}. Choose one currency.", extra={"field": "currency"})
    is_score, figures = metric is ForecastMetric.REPUTATION, list[int]()
    for row in rows:
        # A day without a score has the one before it.
        [value] = [figure.value for figure in row] or [None]
        if value is not None:
            figures.append(round(value * (SCORE_SCALE if is_score else 1)))
        else:
            figures.append(figures[-1] if is_score and figures else 0)
    first = next((at for at, value in enumerate(figures[:-1]) if value), len(figures) - 1)
    asset = next(iter(assets), None) or (CREDIT if spends else None)
    return _History(asset, figures[first:-1], figures[-1], answer.left_out)


def _points(made: Forecast, first: date, least: int | None, most: int | None) -> tuple[ForecastDay, ...]:
    def within(value: int) -> int:
        value = value if least is None else max(least, value)
        return value if most is None else min(most, value)

    reaches = zip(*(made.half_widths(level) for level in LEVELS), strict=True)
    found = []
    for at, (value, reach) in enumerate(zip(map(round, made.values), reaches, strict=True)):
        ends = tuple((within(value - round(each)), within(value + round(each))) for each in reach)
        found.append(ForecastDay(first + at * _DAY, within(value), ends))
    return tuple(found)


async def _balance(
    session: AsyncSession, org_id: str, made: Forecast, used_today: int, now: datetime
) -> tuple[tuple[ForecastDay, ...], RunOutDates]:
    first, plan = now.astimezone(UTC).date(), await subscription.current_of(session, org_id)
    until = datetime.combine(first, time(), UTC) + len(made.values) * _DAY
    books = CreditBooks(
        lots=tuple(await store.lots(session, org_id, now)),
        owed_minor=await store.owed(session, org_id),
        # What is overdue is not counted on. A month that is paid and not granted yet is.
        coming=()
        if plan is None
        else tuple(
            each
            for each in runway.expected_credits(plan, until)
            if each.day >= first or each.kind is runway.BalanceChangeKind.GRANT
        ),
    )
    values = [max(0, value) for value in made.values]

    def path(level: int, sign: int) -> runway.BalancePath:
        used = runway.daily_uses(values, [sign * reach for reach in made.half_widths_of_sum(level)], used_today)
        return runway.project_balance(books.certain() if sign > 0 else books, [*used], first)

    middle = path(SUM_LEVEL, 0)
    sides = [(path(level, 1).balances, path(level, -1).balances) for level in LEVELS]
    points = tuple(
        ForecastDay(first + at * _DAY, value, tuple((low[at], high[at]) for low, high in sides))
        for at, value in enumerate(middle.balances)
    )
    changes = sorted((*books.coming, *middle.expired), key=lambda change: change.day)
    return points, RunOutDates(
        day=middle.runs_out,
        earliest=path(SUM_LEVEL, 1).runs_out,
        latest=path(SUM_LEVEL, -1).runs_out,
        changes=tuple(changes),
    )
