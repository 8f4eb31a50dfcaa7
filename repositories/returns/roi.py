"""Cost and revenue of agents by day of a zone, from days and rows of the period only.

Costs are what was spent (`domain.insight.spent`), without invoices, and recorded usage. Each is counted once: usage
that names a spend, or is charged to credits, is in the spend; what an invoice bills is recorded usage. Payments of an
organization to its own agents are neither cost nor revenue.

In money, credits count at the purchase price of their lots, so granted ones count nothing. In credits they are credits.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.calendar import UTC_ZONE, first_moment
from domain.common.errors import QueryTooLarge
from domain.common.money import CREDIT
from domain.insight.spent import SpentPart, SpentService
from domain.returns.revenue_event import RevenueShare, divide_by_shares
from domain.returns.roi import CostKind, DailyCost, DailyRevenue
from domain.usage.amounts import minor_pico
from repositories.insight import spent
from repositories.insight.measures import MAX_ROWS, MeasurePart as Measured, MeasureQuery
from repositories.insight.spent import Spent

_DAY = timedelta(days=1)
_KINDS = {SpentPart.USES: CostKind.USAGE, SpentPart.SUBSCRIPTIONS: CostKind.SUBSCRIPTIONS}
_KINDS_OF_SERVICES: Mapping[str | None, CostKind] = {
    SpentService.FEE: CostKind.FEES,
    SpentService.OWN_JOB: CostKind.COMMISSION,
}

# What belongs to a row is looked up for it alone: a join may read all there is.
# An event that names a spend, is charged or was voided costs nothing beside it.
_USAGE = text("""
SELECT (e.occurred_at AT TIME ZONE :zone)::date AS day, e.agent_id, e.project_id, e.model, e.currency,
    sum(e.cost_pico) AS pico
FROM usage_events e
WHERE e.org_id = :org_id AND e.occurred_at >= :since AND e.occurred_at < :until AND e.cost_pico > 0
    AND e.spend_id IS NULL
    AND (SELECT c.event FROM usage_charges c WHERE c.org_id = e.org_id AND c.event = e.id) IS NULL
    AND (SELECT v.event FROM usage_voids v WHERE v.org_id = e.org_id AND v.event = e.id) IS NULL
GROUP BY 1, 2, 3, 4, 5 LIMIT :most
""")
# Revenue that is not shared is added up here; every other event is a row with its shares.
_REVENUE = text("""
SELECT (r.occurred_at AT TIME ZONE :zone)::date AS day, r.status, m.currency, CASE r.shares_version WHEN 0
        THEN jsonb_build_array(jsonb_build_object('agent_id', r.agent_id, 'project_id', r.project_id, 'bps', 10000))
        ELSE (SELECT a.parts FROM attributions a WHERE a.event_id = r.id AND a.version = r.shares_version) END AS parts,
    sum(m.amount)::bigint AS amount, sum(m.reversed)::bigint AS reversed, sum(m.commission)::bigint AS commission
FROM revenue_events r CROSS JOIN LATERAL (
    SELECT r.currency, r.amount_minor AS amount, r.reversed_minor AS reversed, r.commission_minor AS commission
    WHERE NOT (:in_money AND r.currency = 'CREDIT' AND r.transfer_id IS NOT NULL)
    UNION ALL
    SELECT m.key, (m.value ->> 0)::bigint, (m.value ->> 1)::bigint, (m.value ->> 2)::bigint FROM jsonb_each(r.money) m
    WHERE :in_money
) m
WHERE r.org_id = :org_id AND r.occurred_at >= :since AND r.occurred_at < :until
GROUP BY 1, 2, 3, 4, CASE r.shares_version WHEN 0 THEN '' ELSE r.id END LIMIT :most
""")


async def costs(
    session: AsyncSession, org_id: str, since: date, until: date, *, in_money: bool = False, zone: ZoneInfo = UTC_ZONE
) -> list[DailyCost]:
    """Return the costs of an organization's agents on the days of the zone from `since` to `until`, exclusive.

    Commission of sales is part of `revenue`. With `in_money` credits count at their purchase price.
    """
    days = [first_moment(since + at * _DAY, zone) for at in range((until - since).days + 1)]
    columns = ("agent_id", "project_id", "model")
    found = [
        DailyCost(
            day=since + each.place * _DAY,
            agent_id=each.agent_id,
            project_id=each.project_id,
            model=each.model,
            kind=_kind(each),
            asset=each.asset,
            minor=each.minor,
        )
        for each in await spent.read(session, org_id, days, in_money=in_money, columns=columns)
        if each.service != SpentService.INVOICE
    ]
    found += [
        DailyCost(
            **{name: row[name] for name in ("day", "agent_id", "project_id", "model")},
            kind=CostKind.USAGE,
            asset=row["currency"],
            minor=Fraction(int(row["pico"]), minor_pico(row["currency"])),
        )
        for row in await _read(session, _USAGE, _asked(org_id, since, until, zone, in_money=in_money))
    ]
    return [cost for cost in found if cost.minor]


def _kind(each: Spent) -> CostKind:
    return _KINDS_OF_SERVICES.get(each.service) or _KINDS.get(each.part, CostKind.PURCHASES)


async def revenue(
    session: AsyncSession, org_id: str, since: date, until: date, *, in_money: bool = False, zone: ZoneInfo = UTC_ZONE
) -> list[DailyRevenue]:
    """Return the revenue of an organization's agents on the same days, by the present shares.

    With `in_money` earnings in credits count at their purchase price; reported credits stay credits.
    """
    found = []
    for row in await _read(session, _REVENUE, _asked(org_id, since, until, zone, in_money=in_money)):
        parts = [RevenueShare(**part) for part in row["parts"]]
        divisions = divide_by_shares(row["amount"], row["reversed"], row["commission"], parts)
        for part, (amount, reversed_minor, commission) in zip(parts, divisions, strict=True):
            found.append(
                DailyRevenue(
                    day=row["day"],
                    agent_id=part.agent_id,
                    project_id=part.project_id,
                    status=row["status"],
                    asset=row["currency"],
                    amount_minor=amount,
                    reversed_minor=reversed_minor,
                    commission_minor=commission,
                )
            )
    return found


async def _read(session: AsyncSession, query: TextClause, asked: Mapping[str, object]) -> Sequence[RowMapping]:
    return _all((await session.execute(query, asked)).mappings().all())


def _all(rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
    if len(rows) >= MAX_ROWS:
        raise QueryTooLarge(
            f"There are more than {MAX_ROWS:,} sums to add up. Ask for fewer days.", extra={"field": "from"}
        )
    return rows


def _asked(org_id: str, since: date, until: date, zone: ZoneInfo, *, in_money: bool) -> dict[str, object]:
    asked = {"since": first_moment(since, zone), "until": first_moment(until, zone), "zone": zone.key}
    return {"org_id": org_id, "most": MAX_ROWS, "in_money": in_money, **asked}


def moments(days: Iterable[date], now: datetime, zone: ZoneInfo = UTC_ZONE) -> dict[date, datetime]:
    """Return the moment of each day at whose rate its amounts are converted: its last one, or now."""

    def last(day: date) -> datetime:
        ends, earliest = first_moment(day + _DAY, zone), first_moment(day, zone) + timedelta.resolution
        return min(ends, max(now, earliest)) - timedelta.resolution

    return {day: last(day) for day in {*days}}


async def measures(wanted: MeasureQuery) -> list[Measured]:
    """Return for metrics `revenue`, as far as it counts, and `cost` including commission, by UTC day."""
    assert wanted.org_id is not None
    since = wanted.bounds[0].astimezone(UTC).date()
    until = (
        min(wanted.bounds[-1] - timedelta.resolution, max(wanted.now, wanted.bounds[0])).astimezone(UTC).date() + _DAY
    )
    in_money = wanted.currency not in {None, CREDIT}
    paid = await costs(wanted.session, wanted.org_id, since, until, in_money=in_money)
    earned = await revenue(wanted.session, wanted.org_id, since, until, in_money=in_money)
    # Credits that were reported have no price.
    earned = [row for row in earned if not (in_money and row.asset == CREDIT)]
    sums: dict[tuple[int, tuple[str | None, ...], str, str], Fraction] = defaultdict(Fraction)
    rows: list[tuple[str, DailyCost | DailyRevenue, int | Fraction]] = [("cost", row, row.minor) for row in paid]
    rows += [
        (name, row, minor) for row in earned for name, minor in (("revenue", row.net_minor), ("cost", row.paid_minor))
    ]
    for name, row, minor in rows:
        of = {"agent": row.agent_id, "project": row.project_id}
        moment = first_moment(row.day, UTC_ZONE)
        if all(of[each] in values for each, values in wanted.where.items()) and wanted.bounds[0] <= moment:
            place = bisect_right(wanted.bounds, moment) - 1
            sums[place, tuple(of[each] for each in wanted.by), name, row.asset] += minor
    return [Measured(place, group, name, asset, sum_) for (place, group, name, asset), sum_ in sums.items()]
