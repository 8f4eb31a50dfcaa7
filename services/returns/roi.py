"""Cost and revenue of agents, converted into one currency at each day's rate."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.calendar import UTC_ZONE
from domain.common.errors import Invalid, QueryTooLarge
from domain.common.money import CREDIT
from domain.returns import roi
from domain.returns.roi import DailyCost, DailyResult, DailyRevenue, Roi, RoiScope
from repositories.insight.rates import Rates
from repositories.returns import roi as store
from runtime.compute_thread import run_in_thread


async def daily_results(
    session: AsyncSession,
    org_id: str,
    *,
    project_id: str | None,
    since: date,
    until: date,
    currency: str,
    now: datetime,
) -> tuple[list[DailyResult], tuple[str, ...]]:
    """Return cost and revenue by agent and day (UTC), for days with any.

    Revenue is confirmed, less reversals until now. In money, credits count at their purchase price. The second value
    has the currencies without a rate, which are left out; an agent with such costs counts without revenue, because its
    profit is unknown.

    Args:
        session: of the organization or the platform.
        org_id: the organization.
        project_id: only this project; None for all.
        since: the first day.
        until: the day after the last one. The caller leaves out days with refundable revenue.
        currency: of the amounts, in minor units.
        now: the time, at whose rate today is converted.
    """
    costs, revenue, left_out = await _rows(session, org_id, since, until, currency, now, decides=True)
    return roi.daily_results(costs, revenue, project_id=project_id), left_out


async def figures(
    session: AsyncSession,
    org_id: str,
    *,
    scope: RoiScope,
    since: date,
    until: date,
    currency: str,
    now: datetime,
    weekly: bool = True,
) -> list[Roi]:
    """Return the figures of each agent, project or model, or of the organization, by margin, the highest first.

    Period and revenue are as in `daily_results`. With `weekly` the trend is by week, else by day.
    """
    costs, revenue, _ = await _rows(session, org_id, since, until, currency, now, decides=True)
    return await run_in_thread(roi.figures, scope, costs, revenue, of=org_id, since=since, until=until, weekly=weekly)


async def report(
    session: AsyncSession,
    org_id: str,
    *,
    scope: RoiScope,
    since: date,
    until: date,
    currency: str,
    now: datetime,
    weekly: bool = True,
    most: int | None = None,
    zone: ZoneInfo = UTC_ZONE,
) -> tuple[list[Roi], Roi, tuple[str, ...]]:
    """Return the result of `figures`, the figures of the whole organization, and the left-out currencies.

    All are from one read, with the revenue of every agent; days are those of the zone. Errors are those of `figures`;
    with `most`, which limits the days of all agents, projects or models together, also `analytics.too_much`.
    """
    costs, revenue, left_out = await _rows(session, org_id, since, until, currency, now, zone=zone)
    named = "model" if scope is RoiScope.MODEL else f"{scope}_id"
    rows = costs if scope is RoiScope.MODEL else () if scope is RoiScope.ORGANIZATION else (*costs, *revenue)
    values = len({getattr(row, named) for row in rows}) * (until - since).days
    if most is not None and values > most:
        raise QueryTooLarge(
            f"There are figures for {values:,} days of each {scope}, and {most:,} at most. Ask for fewer days.",
            extra={"field": "from"},
        )

    def figured(of: RoiScope) -> list[Roi]:
        return roi.figures(of, costs, revenue, of=org_id, since=since, until=until, weekly=weekly)

    [whole] = await run_in_thread(figured, RoiScope.ORGANIZATION)
    return await run_in_thread(figured, scope), whole, left_out


async def _rows(
    session: AsyncSession,
    org_id: str,
    since: date,
    until: date,
    currency: str,
    now: datetime,
    *,
    decides: bool = False,
    zone: ZoneInfo = UTC_ZONE,
) -> tuple[Sequence[DailyCost], Sequence[DailyRevenue], tuple[str, ...]]:
    roi.check_period(since, until)
    in_money = currency != CREDIT
    costs = await store.costs(session, org_id, since, until, in_money=in_money, zone=zone)
    revenue = await store.revenue(session, org_id, since, until, in_money=in_money, zone=zone)
    rows: list[DailyCost | DailyRevenue] = [*costs, *revenue]
    moments, rates = store.moments((row.day for row in rows), now, zone), Rates(session, currency)
    left_out = await assets_without_rate(rates, ((row.asset, moments[row.day]) for row in rows))
    unknown = {row.agent_id for row in costs if row.asset in left_out} if decides else set()
    costs = [row for row in costs if row.asset not in left_out]
    revenue = [row for row in revenue if row.asset not in left_out and row.agent_id not in unknown]
    converted = await run_in_thread(
        lambda: (
            [
                replace(row, asset=currency, minor=rates.converted(row.minor, row.asset, moments[row.day]))
                for row in costs
            ],
            [
                replace(
                    row,
                    asset=currency,
                    amount_minor=rates.converted(row.amount_minor, row.asset, moments[row.day]),
                    reversed_minor=rates.converted(row.reversed_minor, row.asset, moments[row.day]),
                    commission_minor=rates.converted(row.commission_minor, row.asset, moments[row.day]),
                )
                for row in revenue
            ],
        )
    )
    return *converted, left_out


async def assets_without_rate(rates: Rates, wanted: Iterable[tuple[str, datetime]]) -> tuple[str, ...]:
    """Load the rates of assets at moments, and return the assets without one, whose amounts are left out.

    Credits have no rate to money, because their list price is not their purchase price.
    """
    moments, left_out = defaultdict[str, set[datetime]](set), list[str]()
    for asset, at in wanted:
        moments[asset].add(at)
    for asset, ats in sorted(moments.items()):
        if asset == CREDIT != rates.currency:
            left_out.append(asset)
            continue
        try:
            await rates.load((asset, at) for at in ats)
        except Invalid:
            await rates.load((CREDIT, at) for at in ats)
            left_out.append(asset)
    return tuple(left_out)
