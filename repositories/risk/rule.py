"""Rules against fraud. All statements need the platform's role."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.risk.act import Outcome, Point
from domain.risk.rule import DEFAULTS, Mode, Rule
from models.risk.rule import RiskRule

#: The maximum number of versions that are listed.
MAX_VERSIONS = 100
_BY_NAME = {rule.name: rule for rule in DEFAULTS}


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


async def lock(session: AsyncSession) -> None:
    """Lock the rules until the transaction ends, so that versions become visible in the order of their numbers."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("risk.rules", 0))))


async def newest(session: AsyncSession) -> dict[str, RiskRule]:
    """Return the newest row of each rule that has one, by name."""
    highest = select(RiskRule.name, func.max(RiskRule.version).label("version")).group_by(RiskRule.name).subquery()
    query = select(RiskRule).join(highest, (RiskRule.name == highest.c.name) & (RiskRule.version == highest.c.version))
    return {row.name: row for row in await session.scalars(query)}


async def current(session: AsyncSession) -> dict[str, Rule]:
    """Return the current version of each rule by name, with the defaults that no row replaces."""
    return {**_BY_NAME, **{name: rule_of(row) for name, row in (await newest(session)).items()}}


async def versions(session: AsyncSession, name: str) -> list[tuple[Rule, RiskRule | None]]:
    """Return the versions of a rule with their rows, newest first; a default has no row.

    Raises:
        NotFound: there is no such rule.
    """
    query = select(RiskRule).where(RiskRule.name == name).order_by(RiskRule.version.desc()).limit(MAX_VERSIONS)
    rows: Sequence[RiskRule] = (await session.scalars(query)).all()
    default = _BY_NAME.get(name)
    found: list[tuple[Rule, RiskRule | None]] = [(rule_of(row), row) for row in rows]
    if default is not None and len(found) < MAX_VERSIONS:
        found.append((default, None))
    if not found:
        raise NotFound("There is no such rule.")
    return found


async def version(session: AsyncSession, name: str, number: int | None = None) -> Rule:
    """Return a version of a rule, by default the current one.

    Raises:
        NotFound: there is no such version.
    """
    query = select(RiskRule).where(RiskRule.name == name).order_by(RiskRule.version.desc()).limit(1)
    row = (await session.scalars(query if number is None else query.where(RiskRule.version == number))).one_or_none()
    if row is not None:
        return rule_of(row)
    if name not in _BY_NAME or number not in {None, 0}:
        raise NotFound("There is no such rule or version.")
    return _BY_NAME[name]
