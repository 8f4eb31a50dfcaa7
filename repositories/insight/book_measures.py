"""Measures of the ledger: lines of the chart, revenue by organization, earnings, credits, balances.

Days are in UTC. Money for credits is the purchase price of their lots, as far as it is recognised, see
`ledger/sql/revenue.sql`. Slots are not measured.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from sqlalchemy import text

from domain.common.money import CREDIT, ISSUED, SLOT
from ledger.invariants import Invariant
from repositories.books.account_statement import version_at
from repositories.books.accounting import SUMS
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery

_DAY = timedelta(days=1)
_IS_MONEY = f"asset NOT IN {tuple(sorted(ISSUED))}"
#: The platform's liabilities to customers and creators, including what was paid for their credits.
_HELD = """
    (line LIKE 'customers/%' OR line LIKE 'creators/%') AND kind = 'liability'
    OR line IN ('platform/deferred_revenue', 'platform/payable')
"""
_LINES = f"""
SELECT day, asset,
    coalesce(sum(amount) FILTER (WHERE line = 'platform/commission'), 0) AS commission,
    coalesce(sum(amount) FILTER (WHERE line = 'customers/escrow'), 0) AS escrow,
    coalesce(sum(amount) FILTER (WHERE {_HELD}), 0) AS held
FROM (
    SELECT greatest(day, CAST(:before AS date)) AS day, line, kind, asset, credits - debits AS amount FROM ({SUMS}) s
    WHERE asset <> '{SLOT}'
    UNION ALL
    -- A part of deferred revenue.
    SELECT greatest(day, CAST(:before AS date)), line, 'part', asset, came - went FROM ledger.cost_days
    WHERE org_id = '' AND day <= :last
) s
GROUP BY day, asset ORDER BY day LIMIT :most
"""
_REVENUE = """
SELECT day, asset {columns}, sum(amount)::bigint AS net,
    coalesce(sum(amount) FILTER (WHERE line ~ '^platform/(commission|revenue/|breakage)'), 0)::bigint AS revenue
FROM (
    SELECT d.org_id, d.day, d.line, d.asset, d.amount FROM ledger.revenue_days d
    WHERE d.day >= :first AND d.day <= :last
    UNION ALL
    SELECT s.org_id, s.day, s.line, s.asset, s.amount
    FROM ledger.accounting_place p,
        LATERAL ledger.revenue_by_day(p.summed, 'ffffffff-ffff-ffff-ffff-ffffffffffff') s
    WHERE s.day >= :first AND s.day <= :last
) r
WHERE {is_money} AND {where}
GROUP BY day, asset {columns} LIMIT :most
"""
_REVENUE_COLUMNS = {"organization": "org_id", "stream": "regexp_replace(line, '^platform/', '')"}
_OF_AGENTS = "a.path ~ '^agent/[^/]+/(earnings|granted_earnings)/'"
_EARNED = f"""
SELECT day, asset {{columns}}, sum(earned)::bigint AS earned FROM (
    SELECT d.day, a.asset, a.path, a.org_id, d.earned
    FROM ledger.accounts a JOIN ledger.earning_days d ON d.account_id = a.id
    WHERE {_OF_AGENTS} AND d.day >= :first AND d.day <= :last {{own}}
    UNION ALL
    SELECT d.day, d.asset, 'agent/' || d.agent_id, d.org_id, d.came FROM ledger.cost_days d
    WHERE {{whose}} AND d.line = 'creators/earnings' AND d.day >= :first AND d.day <= :last
    UNION ALL
    {{rest}}
) e
WHERE {{where}}
GROUP BY day, asset {{columns}} LIMIT :most
"""
_REST_OF_ALL = f"""
    SELECT s.day, a.asset, a.path, a.org_id, s.earned
    FROM ledger.accounting_place p,
        LATERAL ledger.earned_by_day(p.summed, 'ffffffff-ffff-ffff-ffff-ffffffffffff') s
    JOIN ledger.accounts a ON a.id = s.account_id
    WHERE {_OF_AGENTS} AND s.day >= :first AND s.day <= :last
"""
_REST_OF_ONE = f"""
    SELECT (e.effective_at AT TIME ZONE 'UTC')::date, a.asset, a.path, a.org_id, e.amount
    FROM ledger.entries_not_added_up(:org_id) e
    JOIN ledger.accounts a ON a.id = e.account_id
    JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE {_OF_AGENTS} AND e.amount > 0 AND t.kind <> 'payout.returned'
        AND (e.effective_at AT TIME ZONE 'UTC')::date BETWEEN :first AND :last
"""
_EARNED_COLUMNS = {"agent": "split_part(path, '/', 2)", "organization": "org_id"}
_CREDITS = """
SELECT day, sum(used - refunded)::bigint AS used, sum(expired)::bigint AS expired
FROM ledger.credit_days WHERE day >= :first AND day <= :last {whose} GROUP BY day
"""
_WALLETS = text("""
SELECT asset, path FROM ledger.accounts
WHERE org_id = :org_id AND (path = 'org/' || org_id || '/credits' OR path LIKE 'org/' || org_id || '/cash/%')
ORDER BY asset
""")
#: The average purchase price of an organization's credits, by currency.
_WORTH = text("""
    SELECT l.paid_asset, sum(l.paid - l.costed) AS paid, sum(sum(l.remaining)) OVER () AS credits
    FROM ledger.accounts a JOIN ledger.lots l ON l.account_id = a.id AND l.is_open
    WHERE a.path = 'org/' || :org_id || '/credits' AND a.asset = 'CREDIT' GROUP BY 1
""")


_BALANCES = text(f"""
    SELECT p.place, CASE WHEN a.created_at < p.at THEN coalesce((
        SELECT e.balance_after FROM ledger.entries e
        WHERE e.account_id = a.id AND e.stripe = 0 AND e.version = v.version
    ), 0) END AS balance
    FROM unnest(CAST(:moments AS timestamptz[])) WITH ORDINALITY p (at, place)
    JOIN ledger.accounts a ON a.path = :path AND a.asset = :asset AND a.org_id = :org_id
    LEFT JOIN LATERAL ({version_at("a.id", "p.at")}) v (version) ON a.created_at < p.at
    ORDER BY p.place
""")


async def lines(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return for all organizations: `commission` by interval; `escrow` and `held`, the amounts at its end.

    Each is in credits, and in money including what was paid for the credits. `credits` is the amount held in credits,
    `credit_days` the sum of that at the end of each day, and `days` the number of days.
    """
    first, last = _days(wanted)
    before = first - _DAY
    rows = await wanted.session.execute(text(_LINES), {"before": before, "last": last, "most": MAX_ROWS})
    moved: dict[date, dict[str, tuple[int, int, int]]] = defaultdict(dict)
    for day, asset, commission, escrow, held in rows:
        moved[day][asset] = (int(commission), int(escrow), int(held))
    standing: dict[str, list[int]] = {asset: [escrow, held] for asset, (_, escrow, held) in moved[before].items()}
    sums: dict[tuple[int, str, str], int] = {}
    day = first
    while day <= last:
        place = _place(day, wanted.bounds)
        for asset, (commission, escrow, held) in moved[day].items():
            of_asset = standing.setdefault(asset, [0, 0])
            of_asset[0], of_asset[1] = of_asset[0] + escrow, of_asset[1] + held
            if place is not None:
                sums[place, "commission", asset] = sums.get((place, "commission", asset), 0) + commission
        if place is not None:
            sums[place, "days", ""] = sums.get((place, "days", ""), 0) + 1
            for asset, (escrow, held) in standing.items():
                sums[place, "escrow", asset], sums[place, "held", asset] = escrow, held
                if asset == CREDIT:
                    sums[place, "credits", asset] = held
                    sums[place, "credit_days", asset] = sums.get((place, "credit_days", asset), 0) + held
        day += _DAY
    return [MeasurePart(place, (), measure, asset, value) for (place, measure, asset), value in sums.items()]


async def revenue(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `revenue`, recognised less refunds, and `net`, that less expenses."""
    columns = "".join(f", {_REVENUE_COLUMNS[name]}" for name in wanted.by)
    statement = _REVENUE.format(columns=columns, is_money=_IS_MONEY, where=_where(wanted, _REVENUE_COLUMNS))
    parts = []
    for row in await wanted.session.execute(text(statement), _asked(wanted)):
        day, asset, *group, net, recognised = row
        if (place := _place(day, wanted.bounds)) is not None:
            parts.append(MeasurePart(place, tuple(group), "net", asset, net))
            parts.append(MeasurePart(place, tuple(group), "revenue", asset, recognised))
    return parts


async def earnings(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `earned`, the earnings of agents without returned payouts: credits, and the money paid for them."""
    columns = "".join(f", {_EARNED_COLUMNS[name]}" for name in wanted.by)
    statement = _EARNED.format(
        columns=columns,
        where=_where(wanted, _EARNED_COLUMNS),
        own="" if wanted.org_id is None else "AND a.org_id = :org_id",
        whose="d.org_id <> ''" if wanted.org_id is None else "d.org_id = :org_id",
        rest=_REST_OF_ALL if wanted.org_id is None else _REST_OF_ONE,
    )
    parts = []
    for row in await wanted.session.execute(text(statement), _asked(wanted)):
        day, asset, *group, earned = row
        if (place := _place(day, wanted.bounds)) is not None:
            parts.append(MeasurePart(place, tuple(group), "earned", asset, earned))
    return parts


async def credits(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `used`, credits used less those refunded on the day, and `expired`."""
    whose = "" if wanted.org_id is None else "AND org_id = :org_id"
    parts = []
    for day, used, expired in await wanted.session.execute(text(_CREDITS.format(whose=whose)), _asked(wanted)):
        if (place := _place(day, wanted.bounds)) is not None:
            parts.append(MeasurePart(place, (), "used", CREDIT, used))
            parts.append(MeasurePart(place, (), "expired", CREDIT, expired))
    return parts


async def balances(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return for an organization: `balance`, the sum of its wallets at the end of each interval.

    In money, credits count at the average purchase price of the present ones; without any they stay credits.
    """
    assert wanted.org_id is not None
    worth = dict[str, list[tuple[str, Fraction]]]()
    if wanted.currency not in {None, CREDIT}:
        lots = (await wanted.session.execute(_WORTH, {"org_id": wanted.org_id})).all()
        if lots:
            worth[CREDIT] = [(asset, Fraction(int(paid), int(credits))) for asset, paid, credits in lots if asset]
    wallets = (await wanted.session.execute(_WALLETS, {"org_id": wanted.org_id})).all()
    parts = []
    for asset, path in wallets:
        ends = [min(end, wanted.now) for end in wanted.bounds[1:]]
        asked = {"org_id": wanted.org_id, "path": path, "asset": asset, "moments": ends}
        for place, row in enumerate(await wanted.session.execute(_BALANCES, asked)):
            if row.balance is not None and wanted.bounds[place] < wanted.now:
                for shown, price in worth.get(asset, [(asset, Fraction(1))]):
                    parts.append(MeasurePart(place, (), "balance", shown, row.balance * price))
    return parts


def _asked(wanted: MeasureQuery) -> dict[str, object]:
    first, last = _days(wanted)
    values = {f"of_{name}": list(of) for name, of in wanted.where.items()}
    return {"first": first, "last": last, "org_id": wanted.org_id, "most": MAX_ROWS, **values}


def _where(wanted: MeasureQuery, columns: dict[str, str]) -> str:
    filters = (f"{columns[name]} = ANY (CAST(:of_{name} AS text[]))" for name in wanted.where)
    return " AND ".join(("true", *filters))


def _days(wanted: MeasureQuery) -> tuple[date, date]:
    """Return the first and the last day (UTC) of the intervals, up to today."""
    last = min(wanted.bounds[-1] - timedelta.resolution, max(wanted.now, wanted.bounds[0]))
    return wanted.bounds[0].astimezone(UTC).date(), last.astimezone(UTC).date()


def _place(day: date, bounds: Sequence[datetime]) -> int | None:
    moment = datetime.combine(day, time(), UTC)
    return bisect_right(bounds, moment) - 1 if bounds[0] <= moment < bounds[-1] else None


#: Invariants that `verify` checks.
INVARIANTS = (
    Invariant(
        name="what each organization brought in revenue on each day equals the entries and lots that are added up",
        table="ledger.revenue_days",
        unit="days",
        violations="""
        SELECT org_id || ' ' || day || ' ' || line || ' ' || asset || ': kept ' ||
            coalesce(d.amount::text, 'nothing') || ', booked ' || coalesce(s.amount::text, 'none')
        FROM ledger.revenue_days d
        FULL JOIN (
            SELECT org_id, day, line, asset, sum(amount) AS amount FROM (
                SELECT s.* FROM ledger.accounting_place p,
                    LATERAL ledger.revenue_by_day('00000000-0000-0000-0000-000000000000', p.summed) s
                UNION ALL
                SELECT s.* FROM ledger.revenue_place p,
                    LATERAL ledger.recognised_by_day('00000000-0000-0000-0000-000000000000', p.booked) s
            ) s GROUP BY 1, 2, 3, 4
        ) s USING (org_id, day, line, asset)
        WHERE d.amount IS DISTINCT FROM s.amount
        """,
    ),
    Invariant(
        name="what was paid for credits in escrows and earnings on each day equals the uses of lots that are added up",
        table="ledger.cost_days",
        unit="days",
        violations="""
        SELECT concat_ws(' ', line, agent_id, day, asset) || ': kept ' ||
            coalesce(concat_ws(' ', d.came, d.went), 'nothing') || ', used ' ||
            coalesce(concat_ws(' ', s.came, s.went), 'none')
        FROM ledger.cost_days d
        FULL JOIN (
            SELECT s.* FROM ledger.revenue_place p,
                LATERAL ledger.costs_by_day('00000000-0000-0000-0000-000000000000', p.booked) s
        ) s USING (org_id, day, line, agent_id, asset)
        WHERE (d.came, d.went) IS DISTINCT FROM (s.came, s.went)
        """,
    ),
)
