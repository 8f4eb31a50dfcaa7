"""Reader of what an organization has spent, by part; see `domain.insight.spent` for the definition.

Spends are read by `repositories.credits.spend_day`, from sums of days, and everything else from rows of the period.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import QueryTooLarge
from domain.common.money import CREDIT
from domain.insight.spent import SpentPart
from repositories.credits import spend_day
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery
from repositories.insight.spend_measures import DIMENSIONS

_ELSEWHERE = text("""
SELECT width_bucket(s.at, CAST(:bounds AS timestamptz[])) - 1 AS place, s.part, s.service, s.agent_id, s.payee_id,
    s.department_id, s.project_id, s.asset, s.is_credits, sum(s.minor)::bigint AS minor
FROM spent_elsewhere(:org_id, CAST(:since AS timestamptz), CAST(:until AS timestamptz), :in_money) s
WHERE s.minor <> 0 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 LIMIT :most
""")


class Spent(NamedTuple):
    """Sum of an interval, in minor units of `asset`.

    Attributes:
        service: the action of a spend, or a `domain.insight.spent.SpentService`.
        agent_id: the agent that spent; `payee_id` is the one that was paid, if it is known.
        is_credits: whether it was paid with credits.
    """

    place: int
    part: SpentPart
    service: str | None
    agent_id: str | None
    payee_id: str | None
    department_id: str | None
    project_id: str | None
    model: str | None
    asset: str
    minor: int
    is_credits: bool


async def read(
    session: AsyncSession,
    org_id: str,
    bounds: Sequence[datetime],
    *,
    in_money: bool,
    columns: Sequence[str] = (),
    where: Mapping[str, Sequence[str]] = {},
) -> list[Spent]:
    """Return what was spent in each interval; arguments as for `spend_day.by_interval`.

    With `in_money` credits count at their purchase price. Columns of spends that are not requested are None. An agent
    in `where` is the one that spent or, without one, was paid.

    Raises:
        QueryTooLarge: there are more than `MAX_ROWS` sums.
    """
    columns = tuple(name for name in spend_day.COLUMNS if name in {*columns, "part"})
    by = spend_day.paid if in_money else spend_day.by_interval
    spends = await by(session, org_id, bounds, columns=columns, where=where, most=MAX_ROWS)
    asset, minor = ("asset", "cost") if in_money else (None, "used")
    found = [
        Spent(
            place=row["place"],
            part=SpentPart(row["part"]),
            service=row.get("action"),
            payee_id=None,
            asset=row[asset] if asset else CREDIT,
            minor=row[minor],
            is_credits=True,
            **{name: row.get(name) for name in ("agent_id", "department_id", "project_id", "model")},
        )
        for row in spends
    ]
    rest = [each for each in await elsewhere(session, org_id, bounds, in_money=in_money) if _fits(each, where)]
    if max(len(spends), len(rest)) >= MAX_ROWS:
        raise QueryTooLarge(
            f"There are more than {MAX_ROWS:,} sums to add up. Ask for fewer days.", extra={"field": "from"}
        )
    return found + rest


async def elsewhere(
    session: AsyncSession, org_id: str, bounds: Sequence[datetime], *, in_money: bool = False
) -> list[Spent]:
    """Return what was spent other than by spends, by all columns; arguments as for `read`."""
    asked = {
        "org_id": org_id, "bounds": list(bounds), "since": bounds[0], "until": bounds[-1], "in_money": in_money,
        "most": MAX_ROWS,
    }  # fmt: skip
    rows = (await session.execute(_ELSEWHERE, asked)).mappings()
    return [Spent(**{**row, "part": SpentPart(row["part"]), "model": None}) for row in rows]


def _fits(each: Spent, where: Mapping[str, Sequence[str]]) -> bool:
    return all(_value(each, name) in values for name, values in where.items())


def _value(each: Spent, name: str) -> str | None:
    own = {"action": each.service, "agent_id": each.agent_id or each.payee_id}
    return own[name] if name in own else getattr(each, name)


async def measures(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return the parts of what was spent, and `credits`, all that was paid with credits.

    An agent is the one that spent or, without one, the one that was paid.
    """
    assert wanted.org_id is not None
    columns = [DIMENSIONS[name] for name in wanted.by]
    sums: dict[tuple[int, tuple[str | None, ...], str, str], int] = defaultdict(int)
    for each in await read(
        wanted.session,
        wanted.org_id,
        [min(bound, max(wanted.now, wanted.bounds[0])) for bound in wanted.bounds],
        in_money=wanted.currency not in {None, CREDIT},
        columns=columns,
        where={DIMENSIONS[name]: values for name, values in wanted.where.items()},
    ):
        group = tuple(_value(each, name) for name in columns)
        for name in (each.part, *(["credits"] if each.is_credits else [])):
            sums[each.place, group, name, each.asset] += each.minor
    return [MeasurePart(place, group, name, asset, minor) for (place, group, name, asset), minor in sums.items()]
