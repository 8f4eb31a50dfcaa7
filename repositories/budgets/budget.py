"""Budgets, with what counts in their windows. `ledger.controls` writes them, and the ledger counts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.budget import Calendar, PoolCounter, Pools, WindowState, carried_minor, window_states
from domain.common.calendar import Window, window_start, zone_of
from domain.credits.spend.control import Pool, limits_of
from models.credits.spend import SpendCounter
from models.credits.spend_control import SpendControl

Counts = dict[Window, dict[Pool, PoolCounter]]


def pools_of(row: SpendControl) -> Pools:
    return Pools(
        reserve_minor=row.reserve,
        emergency_minor=row.emergency,
        pools_of=None if row.pools_of is None else Window(row.pools_of),
        carry_over_minor=row.carry_over,
        may_draw_reserve_minor=row.may_draw_reserve,
    )


def calendar_of(row: SpendControl) -> Calendar:
    return Calendar(zone=row.zone, week_starts=row.week_starts)


async def states(
    session: AsyncSession, budgets: Sequence[SpendControl], at: datetime
) -> Mapping[UUID, list[WindowState]]:
    found: dict[UUID, Counts] = {row.id: defaultdict(dict) for row in budgets}
    current = (SpendCounter.starts_at <= at, SpendCounter.ends_at > at)
    query = select(SpendCounter).where(SpendCounter.control_id.in_(found), *current)
    for each in await session.scalars(query.execution_options(populate_existing=True)) if budgets else ():
        found[each.control_id][Window(each.window)][Pool(each.pool)] = _count(each)
    await _carry_over(session, budgets, found, at)
    return {
        row.id: window_states(
            limits_of(row.windows, row.amounts, row.uses, row.hard), pools_of(row), found[row.id], calendar_of(row), at
        )
        for row in budgets
    }


async def _carry_over(
    session: AsyncSession, budgets: Sequence[SpendControl], found: Mapping[UUID, Counts], at: datetime
) -> None:
    """Add what is carried over into windows in which nothing counts yet: the first spend will write it down."""
    begun = {}
    for row in budgets:
        window = pools_of(row).pools_of
        if window is None or not row.carry_over or Pool.OPERATING in found[row.id][window]:
            continue
        starts = window_start(window, at, zone_of(row.zone), row.week_starts)
        if row.created_at < starts:
            begun[row.id] = row, window, starts
    if not begun:
        return
    query = select(SpendCounter).where(
        SpendCounter.control_id.in_(begun),
        SpendCounter.pool == Pool.OPERATING,
        SpendCounter.ends_at.in_([starts for _, _, starts in begun.values()]),
    )
    before = {(each.control_id, each.window, each.ends_at): _count(each) for each in await session.scalars(query)}
    for row, window, starts in begun.values():
        amount = row.amounts[row.windows.index(window)] or 0
        carried = carried_minor(pools_of(row), amount, before.get((row.id, window, starts)))
        found[row.id][window][Pool.OPERATING] = PoolCounter(carried_minor=carried)


def _count(row: SpendCounter) -> PoolCounter:
    return PoolCounter(
        spent_minor=row.spent + row.forced - row.refunded,
        held_minor=row.held,
        moved_minor=row.moved,
        carried_minor=row.carried,
        uses=row.uses_spent,
    )
