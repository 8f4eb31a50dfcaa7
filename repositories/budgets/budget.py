"""Budgets, with what counts in their windows. `ledger.controls` writes them, and the ledger counts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.budget import Calendar, Pool, PoolCount, Pools, WindowState, window_states
from domain.common.calendar import Window
from domain.credits.spend.control import limits_of
from models.credits.spend import SpendCounter
from models.credits.spend_control import SpendControl


def pools_of(row: SpendControl) -> Pools:
    """Read the pools of a budget back."""
    return Pools(
        reserve_minor=row.reserve,
        emergency_minor=row.emergency,
        pools_of=None if row.pools_of is None else Window(row.pools_of),
        carry_over_minor=row.carry_over,
        may_draw_reserve_minor=row.may_draw_reserve,
    )


async def states(
    session: AsyncSession, budgets: Sequence[SpendControl], at: datetime
) -> Mapping[UUID, list[WindowState]]:
    """Return the windows of budgets with their pools at a moment, by the id of the budget."""
    query = select(SpendCounter).where(
        SpendCounter.control_id.in_([row.id for row in budgets]),
        SpendCounter.starts_at <= at,
        SpendCounter.ends_at > at,
    )
    found: dict[UUID, dict[Window, dict[Pool, PoolCount]]] = defaultdict(lambda: defaultdict(dict))
    if budgets:
        for each in await session.scalars(query.execution_options(populate_existing=True)):
            found[each.control_id][Window(each.window)][Pool(each.pool)] = PoolCount(
                spent_minor=each.spent + each.forced - each.refunded,
                held_minor=each.held,
                moved_minor=each.moved,
                carried_minor=each.carried,
                uses=each.uses_spent,
            )
    return {
        row.id: window_states(
            limits_of(row.windows, row.amounts, row.uses, row.hard),
            pools_of(row),
            found[row.id],
            Calendar(zone=row.zone, week_starts=row.week_starts),
            at,
        )
        for row in budgets
    }
