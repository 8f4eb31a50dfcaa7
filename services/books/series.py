"""Reads figures over time, one metric at a time, by intervals."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.series import Grouping, Metric, Series, largest, place_of
from domain.common.accounts import org_wallet
from repositories.books import accounting
from repositories.books import series as store
from repositories.credits import spend_day
from repositories.credits.spend_day import WHOLE, Part

#: The line of the chart of accounts behind a metric of the platform.
_LINES = {Metric.ESCROW_HELD: "customers/escrow", Metric.COMMISSION: "platform/commission"}


async def read(
    session: AsyncSession,
    metric: Metric,
    grouping: Grouping | None,
    bounds: Sequence[datetime],
    *,
    org_id: str | None,
    currency: str,
    now: datetime,
    part: Part = WHOLE,
) -> list[Series]:
    """Return the series of a metric. Needs the platform's session.

    Args:
        session: of the platform.
        metric: see `domain.books.series`, which has checked the combination.
        grouping: what it is grouped by; None for one series.
        bounds: of the intervals.
        org_id: whose figures; None for those of the platform.
        currency: what amounts are in.
        now: the last interval ends then.
        part: whose spends `spent` adds up.

    Raises:
        Invalid: there is too much to count.
    """
    number = len(bounds) - 1
    if metric is Metric.BALANCE:
        assert org_id is not None
        ends = [min(bound, now) for bound in bounds[1:]]
        path = org_wallet(org_id, currency).path
        return [Series(None, tuple(await store.balances(session, org_id, path, currency, ends)))]
    if metric in _LINES:
        return [await _line(session, metric, bounds, currency, now)]
    sums: dict[str | None, dict[int, int]] = {}
    for place, group, value in await _parts(session, metric, grouping, bounds, org_id, currency, now, part):
        of_group = sums.setdefault(group if grouping is not None else None, {})
        of_group[place] = of_group.get(place, 0) + value
    return largest(sums, number)


async def _parts(
    session: AsyncSession,
    metric: Metric,
    grouping: Grouping | None,
    bounds: Sequence[datetime],
    org_id: str | None,
    currency: str,
    now: datetime,
    part: Part,
) -> list[tuple[int, str | None, int]]:
    if metric is Metric.SPENT:
        assert org_id is not None
        until = min(bounds[-1], now)
        rows = await spend_day.by_day(session, org_id, since=bounds[0], until=until, dimension=grouping, of=part)
        return [(place, group, used) for day, group, used in rows for place in _places(day, bounds)]
    if metric is Metric.EARNED:
        assert org_id is not None
        return list(await store.earned(session, org_id, currency, bounds))
    counted = await store.payments(session, org_id, currency, bounds)
    return [(place, status, number if metric is Metric.PAYMENTS else paid) for place, status, number, paid in counted]


async def _line(
    session: AsyncSession, metric: Metric, bounds: Sequence[datetime], currency: str, now: datetime
) -> Series:
    """Return the balance of a line of the chart of accounts after each interval; for commission, the change in each."""
    line, first, last = _LINES[metric], bounds[0].date(), min(bounds[-1], now).date()
    moved: dict[int, int] = {}
    for day, sums in await accounting.by_day(session, first, last, currency):
        for place in _places(day, bounds):
            change = sum(one.credits_minor - one.debits_minor for one in sums if one.line == line)
            moved[place] = moved.get(place, 0) + change
    values = [moved.get(place, 0) for place in range(len(bounds) - 1)]
    if metric is Metric.COMMISSION:
        return Series(None, tuple(values))
    opening = await accounting.lines(session, first, first, currency)
    held = sum(one.opening_minor for one in opening if one.line == line)
    return Series(None, tuple(_added_up(held, values)))


def _added_up(opening: int, changes: Sequence[int]) -> list[int]:
    held = []
    for change in changes:
        opening += change
        held.append(opening)
    return held


def _places(day: date, bounds: Sequence[datetime]) -> list[int]:
    place = place_of(datetime.combine(day, time(), UTC), bounds)
    return [] if place is None else [place]
