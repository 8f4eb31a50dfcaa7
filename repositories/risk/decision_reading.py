"""Reading of decisions against fraud, and their labels. All functions need the platform's role."""

import json
from collections.abc import Iterable
from datetime import datetime

import asyncpg
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.risk.act import Label, Outcome, Point
from domain.risk.backtest import Decided
from models.risk.case import RiskCase
from models.risk.decision import RiskDecision
from repositories.common.listing import ID_TIME_MARGIN, ListFilter, Listing, ListPage, Part, first_id

_DECIDED = """
SELECT id, org_id, outcome, rule, value_minor, label, facts->>'currency' AS currency,
    (SELECT jsonb_object_agg(name, facts->name)::text FROM unnest($2::text[]) name WHERE facts ? name) AS facts
FROM risk_decisions
WHERE point = $1 AND id >= $3 AND id < $4 AND created_at >= $5 AND created_at < $6
ORDER BY id DESC LIMIT $7
"""
_LIST = Listing(of=RiskDecision, order=[RiskDecision.id], prefix="rsd")
#: Filters with an index, the best first.
_INDEXED = ("subject", "point")
MISSING = "There is no such decision."


async def decided(
    connection: asyncpg.Connection,
    point: Point,
    names: Iterable[str],
    *,
    since: datetime,
    until: datetime,
    before: str | None,
    limit: int,
) -> list[Decided]:
    """Return decisions of a point with the named facts, newest first; `before` is the last one of the page before."""
    lowest, highest = first_id("rsd", since - ID_TIME_MARGIN), before or first_id("rsd", until + ID_TIME_MARGIN)
    rows = await connection.fetch(_DECIDED, point.value, sorted(names), lowest, highest, since, until, limit)
    return [
        Decided(
            decision_id=row["id"],
            org_id=row["org_id"],
            outcome=Outcome(row["outcome"]),
            rule=row["rule"],
            facts={} if row["facts"] is None else json.loads(row["facts"]),
            currency=row["currency"] or "",
            value_minor=row["value_minor"],
            label=None if row["label"] is None else Label(row["label"]),
        )
        for row in rows
    ]


async def page(session: AsyncSession, wanted: ListFilter, *, principal: str | None = None) -> ListPage[RiskDecision]:
    """Return a page of decisions, newest first; with `principal` only on acts of that one."""
    served = next((name for name in _INDEXED if name in wanted.equal), None)
    part: Part = () if wanted.org_id is None else (RiskDecision.org_id == wanted.org_id,)
    if not part and served is not None:
        part = (getattr(RiskDecision, served) == wanted.equal[served],)
    else:
        served = None

    def is_own(row: type[RiskDecision]) -> ColumnElement[bool]:
        return row.principal == principal

    return await _LIST.page(
        session,
        wanted,
        [part],
        served=[] if served is None else [served],
        besides=None if principal is None else is_own,
    )


async def get(session: AsyncSession, decision_id: str, *, lock: bool = False) -> RiskDecision:
    """Return a decision.

    Raises:
        NotFound: there is no such decision.
    """
    row = await session.get(RiskDecision, decision_id, with_for_update=lock) if is_id(decision_id, "rsd") else None
    if row is None:
        raise NotFound(MISSING)
    return row


async def case_status(session: AsyncSession, case_id: str) -> str:
    """Return the status of a case."""
    return (await session.execute(select(RiskCase.status).where(RiskCase.id == case_id))).scalar_one()
