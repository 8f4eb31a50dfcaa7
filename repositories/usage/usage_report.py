"""Statements that report what was used: the log of events, their sums by day, and what a run and an agent used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credits.spend.scope import SpendingKey
from domain.marketplace.metered import ReportedUsage
from domain.usage.run import RunPart
from models.usage.usage import UsageDay, UsageEventRow
from repositories.common.listing import ListFilter, Listing, ListPage
from repositories.credits import department
from repositories.usage.usage import COUNTED, TOKENS

_LOG = Listing(of=UsageEventRow, order=[UsageEventRow.occurred_at, UsageEventRow.id], created="occurred_at")


async def log(session: AsyncSession, wanted: ListFilter, *, of: SpendingKey | None = None) -> ListPage[UsageEventRow]:
    """Return a page of the events of an organization that the session may see, the latest first.

    With `of`, only those of the agent, department and project of a key.
    """
    assert wanted.org_id is not None
    org_id = wanted.org_id
    return await _LOG.page(
        session,
        wanted,
        [(UsageEventRow.org_id == org_id,)],
        besides=None if of is None else lambda row: _of_key(row, org_id, of),
    )


def _of_key(row: type[UsageEventRow], org_id: str, key: SpendingKey) -> ColumnElement[bool]:
    """Return the condition that an event is of a key's agent; else of its department, with its parts, and project."""
    if key.agent_id is not None:
        return row.agent_id == key.agent_id
    return and_(*department.within(row, org_id, key.attribution))


_NAMED_USES = text(
    """
    SELECT coalesce(sum(events), 0)::bigint AS uses, count(*) AS days FROM (
        SELECT cast(:first AS date) AS day, count(*) AS events FROM usage_events
        WHERE org_id = :org_id AND agent_id = :agent_id AND occurred_at >= :since AND occurred_at < :midnight
        UNION ALL
        SELECT day, sum(events) FROM usage_days
        WHERE org_id = :org_id AND dimension = 'agent_id' AND value = :agent_id AND day > :first GROUP BY day
    ) days WHERE events > 0
    """
)


async def named_uses(session: AsyncSession, org_id: str, agent_id: str, since: datetime) -> ReportedUsage:
    """Return the number of events of an organization that name an agent since a time, and of days with any."""
    first = since.astimezone(UTC).date()
    midnight = datetime.combine(first + timedelta(days=1), time(), UTC)
    values = {"org_id": org_id, "agent_id": agent_id, "since": since, "first": first, "midnight": midnight}
    row = (await session.execute(_NAMED_USES, values)).one()
    return ReportedUsage(uses=row.uses, days=row.days)


async def run_parts(
    session: AsyncSession, org_id: str, run_id: str, limit: int, *, of: SpendingKey | None = None
) -> list[RunPart]:
    """Sum the events of a run by agent, step and currency; with `of`, those of a key alone, as `log` finds them."""
    row = UsageEventRow
    tokens = [func.coalesce(row.usage[name].astext.cast(BigInteger), 0) for name in TOKENS]
    keys = (row.agent_id, row.step_id, row.parent_id, row.currency)
    query = (
        select(*keys, func.count(), func.sum(row.cost_pico), func.sum(tokens[0] + tokens[1] + tokens[2] + tokens[3]))
        .where(row.org_id == org_id, row.run_id == run_id)
        .where(*(() if of is None else (_of_key(row, org_id, of),)))
        .group_by(*keys)
        .order_by(func.min(row.occurred_at), row.step_id, row.agent_id)
        .limit(limit)
    )
    return [
        RunPart(
            agent_id=agent_id,
            step_id=step_id,
            parent_id=parent_id,
            currency=currency,
            events=events,
            cost_pico=None if pico is None else int(pico),
            tokens=int(count),
        )
        for agent_id, step_id, parent_id, currency, events, pico, count in await session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class UsageTotal:
    group: str
    currency: str
    counted: Mapping[str, Any]


async def totals(
    session: AsyncSession,
    org_id: str,
    since: date,
    until: date,
    *,
    dimension: str,
    value: str | None,
    by_day: bool,
    of: SpendingKey | None = None,
) -> list[UsageTotal]:
    """Return sums of the days in `[since, until)`, for one dimension.

    Args:
        session: of the organization or the platform.
        org_id: the organization.
        since: the first day.
        until: the day after the last one.
        dimension: one of `DIMENSIONS`, or `ALL`.
        value: only this value of it.
        by_day: a group for each day, otherwise one for each value.
        of: a key with one of agent, department and project, whose dimension it is; only its own values are added up.
    """
    group = func.to_char(UsageDay.day, "YYYY-MM-DD") if by_day else UsageDay.value
    sums = [func.sum(getattr(UsageDay, name)).label(name) for name in COUNTED]
    query = (
        select(group.label("group"), UsageDay.currency, *sums)
        .where(UsageDay.org_id == org_id, UsageDay.dimension == dimension)
        .where(UsageDay.day >= since, UsageDay.day < until)
        .group_by(group, UsageDay.currency)
        .order_by(group, UsageDay.currency)
    )
    if value is not None:
        query = query.where(UsageDay.value == value)
    if of is not None and of.agent_id is None and of.attribution.department_id is not None:
        query = query.where(UsageDay.value.in_(department.parts_of(org_id, of.attribution.department_id)))
    elif of is not None:
        query = query.where(UsageDay.value == (of.agent_id or of.attribution.project_id))
    rows = (await session.execute(query)).mappings()
    return [UsageTotal(row["group"], row["currency"], {name: int(row[name]) for name in COUNTED}) for row in rows]


_MODEL_COSTS = text(
    """
    SELECT currency, sum(cost_pico) AS cost FROM usage_days
    WHERE dimension = 'model' AND value <> '' AND currency <> '' AND day BETWEEN :first AND :last
        AND (CAST(:currency AS text) IS NULL OR currency = :currency)
    GROUP BY currency HAVING sum(cost_pico) > 0
    """
)


async def model_costs(session: AsyncSession, first: date, last: date, currency: str | None) -> dict[str, int]:
    """Return what calls of models by all organizations cost on these days (UTC, both included), in pico by currency."""
    rows = await session.execute(_MODEL_COSTS, {"first": first, "last": last, "currency": currency})
    return {row.currency: int(row.cost) for row in rows}
