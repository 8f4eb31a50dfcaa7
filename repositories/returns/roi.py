"""What agents cost and brought in, by day (UTC), read from days and rows of the period alone.

A cost is read once: usage that names a spend, or is charged to credits, is in its spend. Work that an organization pays
its own agents for is neither cost nor revenue.

In money, credits are what was paid for their lots, so granted ones are nothing. In credits they are credits.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import QueryTooLarge
from domain.common.money import CREDIT
from domain.marketplace.sale import PURCHASE
from domain.returns.revenue_event import RevenueShare, divide_by_shares
from domain.returns.roi import CostKind, DailyCost, DailyRevenue
from domain.usage.amounts import minor_pico
from repositories.credits import spend_day
from repositories.insight.measures import MAX_ROWS, MeasurePart as Measured, MeasureQuery

_DAY = timedelta(days=1)
#: The actions of spends that buy an agent, or a use of one.
_BOUGHT = {PURCHASE, "marketplace.use"}

# What belongs to a row is looked up for it alone: a join may read all there is.
# An event that names a spend, is charged or was voided costs nothing beside it.
_USAGE = text("""
SELECT (e.occurred_at AT TIME ZONE 'UTC')::date AS day, e.agent_id, e.project_id, e.model, e.currency,
    sum(e.cost_pico) AS pico
FROM usage_events e
WHERE e.org_id = :org_id AND e.occurred_at >= :since AND e.occurred_at < :until AND e.cost_pico > 0
    AND e.spend_id IS NULL
    AND (SELECT c.event FROM usage_charges c WHERE c.org_id = e.org_id AND c.event = e.id) IS NULL
    AND (SELECT v.event FROM usage_voids v WHERE v.org_id = e.org_id AND v.event = e.id) IS NULL
GROUP BY 1, 2, 3, 4, 5 LIMIT :most
""")
# A fee of the method is a part of what was charged for the order itself.
_PURCHASES = text("""
SELECT day, agent_id, project_id, asset, sum(paid - fee)::bigint AS paid, sum(fee)::bigint AS fee FROM (
    SELECT (c.at AT TIME ZONE 'UTC')::date AS day, c.agent_id, c.project_id, c.asset, c.spent - c.refunded AS paid,
        least(c.spent - c.refunded, CASE c.number WHEN 0 THEN coalesce((
            SELECT sum(a.fee_minor) FROM purchase_attempts a WHERE a.order_id = c.order_id AND a.status = 'succeeded'
        ), 0) ELSE 0 END) AS fee
    FROM ledger.purchase_counts c
    WHERE c.org_id = :org_id AND c.at >= :since AND c.at < :until AND c.spent > c.refunded
) p GROUP BY day, agent_id, project_id, asset LIMIT :most
""")
# An agent that is bought with credits is in its spend; a person buys it with money.
_SALES = text("""
SELECT (p.bought_at AT TIME ZONE 'UTC')::date AS day, NULL AS agent_id, NULL AS project_id, p.currency AS asset,
    sum(p.price_minor - p.taken_minor)::bigint AS paid
FROM marketplace_purchases p
WHERE p.org_id = :org_id AND p.payment_id IS NOT NULL AND p.bought_at >= :since AND p.bought_at < :until
    AND p.payee_org_id <> p.org_id
GROUP BY 1, 4 LIMIT :most
""")
# What each transfer has taken from the payer: of work by an own agent that is the commission. An escrow that has paid
# in the period was made before its end, and has not changed last before its start.
_ESCROWS = text("""
SELECT (t.effective_at AT TIME ZONE 'UTC')::date AS day, c.agent_id, c.project_id, t.asset,
    coalesce(sum(t.paid) FILTER (WHERE e.payee_org_id <> e.org_id), 0)::bigint AS paid,
    coalesce(sum(t.paid) FILTER (WHERE e.payee_org_id = e.org_id), 0)::bigint AS commission
FROM escrows e CROSS JOIN LATERAL (
    SELECT t.effective_at, p.asset, p.paid FROM ledger.transfers t CROSS JOIN LATERAL (
        SELECT e.currency AS asset, -sum(n.amount) AS paid FROM ledger.entries n
        WHERE n.transfer_id = t.id AND n.org_id = e.org_id AND NOT (:in_money AND e.currency = 'CREDIT')
        UNION ALL
        SELECT p.asset, p.cost FROM paid_by_transfers(e.org_id, ARRAY[t.id]) p
        WHERE :in_money AND e.currency = 'CREDIT'
    ) p
    WHERE t.reference = e.id AND t.kind IN ('escrow.released', 'escrow.split')
        AND t.effective_at >= :since AND t.effective_at < :until
) t LEFT JOIN LATERAL (
    SELECT * FROM ledger.escrow_counts c WHERE c.escrow_id = e.id AND c.org_id = e.org_id LIMIT 1
) c ON true
WHERE e.org_id = :org_id AND e.released_minor + e.commission_minor > 0
    AND e.updated_at >= :since AND e.created_at < :until
GROUP BY 1, 2, 3, 4 LIMIT :most
""")
# Revenue that is not shared is added up here; every other event is a row with its shares.
_REVENUE = text("""
SELECT (r.occurred_at AT TIME ZONE 'UTC')::date AS day, r.status, m.currency, CASE r.shares_version WHEN 0
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
    session: AsyncSession, org_id: str, since: date, until: date, *, in_money: bool = False
) -> list[DailyCost]:
    """Return what an organization's agents cost on the days from `since` up to but not including `until`.

    Commission of sales is with the revenue that it is a part of, see `revenue`. With `in_money` credits are what was
    paid for them.
    """
    days = [_start(since) + at * _DAY for at in range((until - since).days + 1)]
    columns = ("action", "agent_id", "project_id", "model")
    if in_money:
        paid = _all(await spend_day.paid(session, org_id, days, columns=columns, most=MAX_ROWS))
        spent = [(row, row["asset"], row["cost"]) for row in paid]
    else:
        used = _all(await spend_day.by_interval(session, org_id, days, columns=columns, most=MAX_ROWS))
        spent = [(row, CREDIT, row["used"]) for row in used]
    found = [
        _cost({**row, "day": since + row["place"] * _DAY}, _kind(row), asset, minor) for row, asset, minor in spent
    ]
    asked = _asked(org_id, since, until, in_money=in_money)
    found += [
        _cost(row, CostKind.USAGE, row["currency"], Fraction(int(row["pico"]), minor_pico(row["currency"])))
        for row in await _read(session, _USAGE, asked)
    ]
    for row in await _read(session, _PURCHASES, asked):
        found.append(_cost(row, CostKind.PURCHASES, row["asset"], row["paid"]))
        found.append(_cost(row, CostKind.FEES, row["asset"], row["fee"]))
    found += [_cost(row, CostKind.PURCHASES, row["asset"], row["paid"]) for row in await _read(session, _SALES, asked)]
    for row in await _read(session, _ESCROWS, asked):
        found.append(_cost(row, CostKind.PURCHASES, row["asset"], row["paid"]))
        found.append(_cost(row, CostKind.COMMISSION, row["asset"], row["commission"]))
    return [cost for cost in found if cost.minor]


def _kind(spent: RowMapping) -> CostKind:
    return CostKind.PURCHASES if spent["action"] in _BOUGHT else CostKind.USAGE


def _cost(row: Any, kind: CostKind, asset: str, minor: int | Fraction) -> DailyCost:
    return DailyCost(
        day=row["day"],
        agent_id=row["agent_id"],
        project_id=row["project_id"],
        model=row.get("model"),
        kind=kind,
        asset=asset,
        minor=minor,
    )


async def revenue(
    session: AsyncSession, org_id: str, since: date, until: date, *, in_money: bool = False
) -> list[DailyRevenue]:
    """Return what an organization's agents brought in on the same days, by the shares that hold now.

    With `in_money` earnings in credits are what was paid for them; credits that were reported stay credits.
    """
    found = []
    for row in await _read(session, _REVENUE, _asked(org_id, since, until, in_money=in_money)):
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


def _asked(org_id: str, since: date, until: date, *, in_money: bool) -> dict[str, object]:
    return {"org_id": org_id, "since": _start(since), "until": _start(until), "most": MAX_ROWS, "in_money": in_money}


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def moments(days: Sequence[date], now: datetime) -> dict[date, datetime]:
    """Return the moment of each day whose rate its amounts are converted at: its last one, or now."""
    return {
        day: min(_start(day) + _DAY, max(now, _start(day) + timedelta.resolution)) - timedelta.resolution
        for day in days
    }


async def measures(wanted: MeasureQuery) -> list[Measured]:
    """Return for metrics `revenue`, what counts of it, and `cost`, with commission; of days in UTC."""
    assert wanted.org_id is not None
    since = wanted.bounds[0].astimezone(UTC).date()
    until = (
        min(wanted.bounds[-1] - timedelta.resolution, max(wanted.now, wanted.bounds[0])).astimezone(UTC).date() + _DAY
    )
    in_money = wanted.currency not in {None, CREDIT}
    spent = await costs(wanted.session, wanted.org_id, since, until, in_money=in_money)
    earned = await revenue(wanted.session, wanted.org_id, since, until, in_money=in_money)
    # Credits that were reported have no price.
    earned = [row for row in earned if not (in_money and row.asset == CREDIT)]
    sums: dict[tuple[int, tuple[str | None, ...], str, str], Fraction] = defaultdict(Fraction)
    rows: list[tuple[str, DailyCost | DailyRevenue, int | Fraction]] = [("cost", row, row.minor) for row in spent]
    rows += [
        (name, row, minor) for row in earned for name, minor in (("revenue", row.net_minor), ("cost", row.paid_minor))
    ]
    for name, row, minor in rows:
        of = {"agent": row.agent_id, "project": row.project_id}
        moment = _start(row.day)
        if all(of[each] in values for each, values in wanted.where.items()) and wanted.bounds[0] <= moment:
            place = bisect_right(wanted.bounds, moment) - 1
            sums[place, tuple(of[each] for each in wanted.by), name, row.asset] += minor
    return [Measured(place, group, name, asset, sum_) for (place, group, name, asset), sum_ in sums.items()]
