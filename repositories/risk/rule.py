"""Rules against fraud. All statements need the platform's role."""

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.act import Outcome, Point
from domain.risk.rule import DEFAULTS, Mode, Rule
from models.risk.rule import RiskRule


def rule_of(row: RiskRule) -> Rule:
    """Return the rule of a row."""
    return Rule(
        name=row.name,
        version=row.version,
        points=frozenset(Point(point) for point in row.points),
        expression=row.expression,
        action=Outcome(row.action),
        priority=row.priority,
        mode=Mode(row.mode),
        sentence=row.sentence,
    )


async def newest_number(connection: asyncpg.Connection) -> int:
    """Return the number of the version that was written last; 0 without one."""
    number: int = await connection.fetchval("SELECT coalesce(max(number), 0) FROM risk_rules")
    return number


async def current(session: AsyncSession) -> dict[str, Rule]:
    """Return the current version of each rule by name, with the defaults that no row replaces."""
    newest = select(RiskRule.name, func.max(RiskRule.version).label("version")).group_by(RiskRule.name).subquery()
    query = select(RiskRule).join(newest, (RiskRule.name == newest.c.name) & (RiskRule.version == newest.c.version))
    rows = await session.scalars(query)
    return {**{rule.name: rule for rule in DEFAULTS}, **{row.name: rule_of(row) for row in rows}}
