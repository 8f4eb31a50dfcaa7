"""Backtests of rules over stored decisions."""

import asyncio
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.backtest import Backtest
from domain.risk.rule import Compile, Rule, compiled
from repositories.risk import decision_reading as decisions
from runtime.database import driver_connection

#: The maximum number of decisions that a backtest reads, and how many at a time.
MOST, PAGE = 200_000, 1_000


async def run(
    session: AsyncSession, rule: Rule, compiler: Compile, since: datetime, until: datetime, *, most: int = MOST
) -> Backtest:
    """Test a rule over the decisions of its points in a range of time, the newest first.

    Each point has an equal share of `most`, and what others leave of theirs.

    Raises:
        RiskRuleInvalid: of `domain.risk.rule.compiled`.
    """
    each = compiled(rule, compiler)
    found, points = Backtest(each), sorted(rule.points)
    connection = await driver_connection(session)
    for number, point in enumerate(points):
        allowed, before = (most - found.decisions) // (len(points) - number), None
        while True:
            size = min(PAGE, allowed)
            page = await decisions.decided(
                connection, point, each.names, since=since, until=until, before=before, limit=size + 1
            )
            # Off the event loop, because other requests wait for it.
            await asyncio.to_thread(found.add, page[:size])
            allowed -= size
            if len(page) <= size:
                break
            if allowed == 0:
                found.is_cut = True
                break
            before = page[size - 1].decision_id
    return found
