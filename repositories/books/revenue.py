"""Invariants of revenue: the cost of each use of a lot is booked once, see `ledger/sql/revenue.sql`."""

from ledger.invariants import Invariant

_FIRST, _LAST = "'00000000-0000-0000-0000-000000000000'::uuid", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid"
_PLACE = "(SELECT booked FROM ledger.revenue_place)"

INVARIANTS = (
    Invariant(
        name="every used-up lot has given away its price",
        table="ledger.lots",
        unit="lots",
        violations="""
        SELECT 'lot ' || id || ': paid ' || paid || ', its uses cost ' || costed
        FROM ledger.lots WHERE remaining = 0 AND costed <> paid
        """,
    ),
    Invariant(
        name="deferred revenue and payables equal the price of lots, less their booked uses",
        table="ledger.lots",
        unit="lots",
        violations=f"""
        SELECT path || ' ' || asset || ': ' || coalesce(b.posted, 0) || ', paid for lots that are left ' ||
            coalesce(l.paid, 0) || ', for uses to be booked ' || coalesce(u.cost, 0)
        FROM (
            SELECT a.path, a.asset, sum(s.posted) AS posted FROM ledger.accounts a
            JOIN ledger.balances s ON s.account_id = a.id
            WHERE a.path IN ('platform/deferred_revenue', 'platform/payable') GROUP BY a.path, a.asset
        ) b
        FULL JOIN (
            SELECT ledger.cost_path(a.path) AS path, l.paid_asset AS asset, sum(l.paid - l.costed) AS paid
            FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id
            WHERE l.paid > 0 GROUP BY 1, 2
        ) l USING (path, asset)
        FULL JOIN (
            SELECT c.path, f.asset, sum(c.cost) AS cost
            FROM ledger.lot_costs({_PLACE}, {_LAST}) f,
                LATERAL (VALUES (f.source, f.cost), (f.destination, -f.cost)) AS c (path, cost)
            WHERE c.path IN ('platform/deferred_revenue', 'platform/payable') GROUP BY c.path, f.asset
        ) u USING (path, asset)
        WHERE coalesce(b.posted, 0) <> coalesce(l.paid, 0) + coalesce(u.cost, 0)
        """,
    ),
    Invariant(
        name="recognised, expired and payable amounts equal the cost of the uses of lots",
        table="ledger.lot_uses",
        unit="uses",
        violations=f"""
        SELECT path || ' ' || asset || ': booked ' || coalesce(b.amount, 0) || ', uses cost ' || coalesce(u.cost, 0)
        FROM (
            SELECT a.path, a.asset, sum(e.amount) AS amount
            FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id
            JOIN ledger.accounts a ON a.id = e.account_id
            WHERE t.kind = 'revenue.recognised' AND
                t.idempotency_key LIKE 'revenue:' || (SELECT begun FROM ledger.revenue_place) || ':%'
            GROUP BY a.path, a.asset
        ) b
        FULL JOIN (
            SELECT c.path, f.asset, sum(c.cost) AS cost
            FROM ledger.lot_costs({_FIRST}, {_PLACE}) f,
                LATERAL (VALUES (f.source, -f.cost), (f.destination, f.cost)) AS c (path, cost)
            GROUP BY c.path, f.asset
        ) u USING (path, asset)
        WHERE coalesce(b.amount, 0) <> coalesce(u.cost, 0)
        """,
    ),
    Invariant(
        name="the returned part of each use of a lot equals its returns",
        table="ledger.lot_returns",
        unit="returns",
        violations="""
        SELECT 'lot ' || coalesce(u.lot_id, r.lot_id) || ' of transfer ' || coalesce(u.transfer_id, r.transfer_id)
        FROM (SELECT * FROM ledger.lot_uses WHERE returned > 0 OR passed > 0) u
        FULL JOIN (
            SELECT used_by AS transfer_id, leg, lot_id, sum(amount) AS amount, sum(cost) AS cost
            FROM ledger.lot_returns GROUP BY 1, 2, 3
        ) r ON r.transfer_id = u.transfer_id AND r.leg = u.leg AND r.lot_id = u.lot_id
        WHERE ((u.returned + u.passed, u.cost_returned + u.cost_passed) = (r.amount, r.cost)) IS NOT TRUE
        """,
    ),
)
