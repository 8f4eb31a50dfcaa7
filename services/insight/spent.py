"""Spent amounts of an organization in a period: the metrics' figures, rounded so that all parts add up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import CREDIT
from domain.insight.query import Query, QueryResult
from domain.insight.spent import SpentGroup, SpentPart, largest_groups, round_parts
from models.marketplace.agent import Agent
from repositories.marketplace import agent as agents
from services.insight.metrics import run_query

#: The maximum number of agents, and of services, that are ranked; what others spent is in the rest.
_RANKED = 2_000
_PARTS = {f"spending.{part}": part for part in SpentPart}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentAmount:
    """Spent amount in a currency, in minor units; the parts add up to it.

    Attributes:
        before: the parts of the preceding period.
        by_agent, by_service: the largest groups and the rest, which add up to the total.
    """

    asset: str
    parts: Mapping[SpentPart, int]
    before: Mapping[SpentPart, int]
    by_agent: Sequence[SpentGroup] = ()
    by_service: Sequence[SpentGroup] = ()

    @property
    def total_minor(self) -> int:
        return sum(self.parts.values())


async def totals(session: AsyncSession, org_id: str, asked: Query, *, now: datetime) -> SpentAmount:
    """Return what was spent, converted into the currency of `asked`, without groups and the preceding period.

    The arguments are those of `spent`.
    """
    currency = asked.currency or CREDIT
    asked = replace(asked, metrics=tuple(_PARTS), compare=None)
    exact, _ = _exact(await run_query(session, asked, org_id=org_id, now=now))
    return SpentAmount(asset=currency, parts=round_parts(exact[currency]), before={})


async def spent(
    session: AsyncSession, org_id: str, asked: Query, *, limit: int, now: datetime
) -> tuple[list[SpentAmount], Mapping[str, Agent], QueryResult]:
    """Return what was spent by currency, credits first; the agents by their ids; and the result of the query.

    `asked` has the period, its comparison and the currency, and `limit` is the maximum number of agents, and of
    services. Errors are those of `run_query`.
    """
    answer = await run_query(session, replace(asked, metrics=tuple(_PARTS)), org_id=org_id, now=now)
    exact, before = _exact(answer)
    groups = {}
    for name in ("agent", "action"):
        by = replace(asked, metrics=("spending",), by=(name,), compare=None, limit=_RANKED)
        groups[name] = _grouped(await run_query(session, by, org_id=org_id, now=now), name)
    found = []
    for asset in sorted({*exact, asked.currency or CREDIT}, key=lambda asset: (asset != CREDIT, asset)):
        whole = sum(exact[asset].values())
        by_agent, by_service = (largest_groups(groups[name][asset], whole, limit) for name in groups)
        parts, parts_before = round_parts(exact[asset]), round_parts(before[asset])
        found.append(
            SpentAmount(asset=asset, parts=parts, before=parts_before, by_agent=by_agent, by_service=by_service)
        )
    named = {each.name for amount in found for each in amount.by_agent if each.name is not None}
    return found, await agents.by_ids(session, named) if named else {}, answer


_Exact = dict[str, dict[SpentPart, int | Fraction]]


def _exact(answer: QueryResult) -> tuple[_Exact, _Exact]:
    """Return the parts of each currency in the period, and in the preceding one."""
    exact, before = (defaultdict[str, dict[SpentPart, int | Fraction]](dict) for _ in range(2))
    for figure in answer.totals:
        asset, part = figure.asset or CREDIT, _PARTS[figure.metric]
        exact[asset][part], before[asset][part] = figure.value or 0, figure.before or 0
    return exact, before


def _grouped(answer: QueryResult, name: str) -> dict[str, dict[str | None, int | Fraction]]:
    found = defaultdict[str, dict[str | None, int | Fraction]](dict)
    for row in answer.rows:
        for figure in row.figures:
            found[figure.asset or CREDIT][row.group[name]] = figure.value or 0
    return found
