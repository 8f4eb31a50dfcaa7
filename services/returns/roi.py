"""Figures of what agents cost and bring in, converted into one currency at each day's rate."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.insight.query import TooMuch
from domain.returns import roi
from domain.returns.roi import Cost, Night, Revenue, Roi, Scope
from repositories.insight.rates import Rates
from repositories.returns import roi as store
from runtime.aside import aside


async def nights(
    session: AsyncSession,
    org_id: str,
    *,
    project_id: str | None,
    since: date,
    until: date,
    currency: str,
    now: datetime,
) -> list[Night]:
    """Return what each agent cost and brought in on each day (UTC) that has any, by agent and day.

    What is of no agent has days of its own. Revenue is confirmed, less what was taken back of it until now.

    Args:
        session: of the organization or the platform.
        org_id: the organization.
        project_id: only what was for this project; None for everything.
        since: the first day.
        until: the day after the last one. The caller leaves out days that can still be refunded.
        currency: of the amounts, in minor units.
        now: the time: today is converted at its rate.

    Raises:
        Invalid: `analytics.no_rate`, `analytics.too_much`; the period is too long.
    """
    costs, revenue = await _rows(session, org_id, since, until, currency, now)
    return roi.nights(costs, revenue, project_id=project_id)


async def figures(
    session: AsyncSession,
    org_id: str,
    *,
    scope: Scope,
    since: date,
    until: date,
    currency: str,
    now: datetime,
    weekly: bool = True,
) -> list[Roi]:
    """Return the figures of each agent, project or model, or of the organization, by margin, the highest first.

    The period is that of `nights`. `weekly` says whether the trend is by week or by day.

    Raises:
        Invalid: as `nights`.
    """
    found, _ = await report(
        session, org_id, scope=scope, since=since, until=until, currency=currency, now=now, weekly=weekly
    )
    return found


async def report(
    session: AsyncSession,
    org_id: str,
    *,
    scope: Scope,
    since: date,
    until: date,
    currency: str,
    now: datetime,
    weekly: bool = True,
    most: int | None = None,
) -> tuple[list[Roi], Roi]:
    """Return what `figures` does, with the figures of the whole organization, of one read. Raises the same.

    With `most` also `analytics.too_much`: it bounds the days of all agents, projects or models together.
    """
    costs, revenue = await _rows(session, org_id, since, until, currency, now)
    named = "model" if scope is Scope.MODEL else f"{scope}_id"
    rows = costs if scope is Scope.MODEL else () if scope is Scope.ORGANIZATION else (*costs, *revenue)
    values = len({getattr(row, named) for row in rows}) * (until - since).days
    if most is not None and values > most:
        raise TooMuch(
            f"There are figures for {values:,} days of each {scope}, and {most:,} at most. Ask for fewer days.",
            extra={"field": "from"},
        )

    def figured(of: Scope) -> list[Roi]:
        return roi.figures(of, costs, revenue, of=org_id, since=since, until=until, weekly=weekly)

    [whole] = await aside(figured, Scope.ORGANIZATION)
    return await aside(figured, scope), whole


async def _rows(
    session: AsyncSession, org_id: str, since: date, until: date, currency: str, now: datetime
) -> tuple[Sequence[Cost], Sequence[Revenue]]:
    roi.check_period(since, until)
    costs = await store.costs(session, org_id, since, until)
    revenue = await store.revenue(session, org_id, since, until)
    rows: list[Cost | Revenue] = [*costs, *revenue]
    moments, rates = store.moments([row.day for row in rows], now), Rates(session, currency)
    await rates.load((row.asset, moments[row.day]) for row in rows)
    return await aside(
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
