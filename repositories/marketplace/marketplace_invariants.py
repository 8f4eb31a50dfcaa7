"""What `verify` proves about sales on the marketplace."""

from ledger.invariants import Invariant

#: What `verify` proves about sales.
INVARIANTS = (
    Invariant(
        name="the transfer of every sale on the marketplace divides its price into its shares",
        table="marketplace_purchases",
        unit="purchases",
        violations="""
        SELECT 'purchase ' || p.id || ': of ' || p.price_minor || ' creator ' || p.creator_minor || ', commission ' ||
            p.commission_minor || ', tax ' || p.tax_minor || '; the books gave ' || coalesce(b.creator, 0) || ', ' ||
            coalesce(b.commission, 0) || ' and ' || coalesce(b.tax, 0)
        FROM marketplace_purchases p
        LEFT JOIN LATERAL (
            SELECT sum(e.amount) FILTER (WHERE e.amount > 0 AND (a.path LIKE 'agent/' || p.agent_id || '/%'
                    OR a.path LIKE 'org/' || p.payee_org_id || '/debt/%')) AS creator,
                sum(e.amount) FILTER (WHERE a.path = 'platform/commission') AS commission,
                sum(e.amount) FILTER (WHERE a.path LIKE 'platform/tax/%') AS tax
            FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
            WHERE e.transfer_id = p.transfer_id AND e.asset = p.currency
        ) b ON true
        WHERE p.price_minor IS NOT NULL AND (p.creator_minor, p.commission_minor, p.tax_minor) IS DISTINCT FROM
            (coalesce(b.creator, 0)::bigint, coalesce(b.commission, 0)::bigint, coalesce(b.tax, 0)::bigint)
        """,
    ),
    Invariant(
        name="the transfer of every use of an agent divides its price into its shares, and its spend took the price",
        table="marketplace_uses",
        unit="uses",
        violations="""
        SELECT 'use ' || p.id || ': of ' || p.price_minor || ' creator ' || p.creator_minor || ', commission ' ||
            p.commission_minor || '; the books gave ' || coalesce(b.creator, 0) || ' and ' || coalesce(b.commission, 0)
            || ', its spend took ' || coalesce(s.captured, 0)
        FROM marketplace_uses p
        LEFT JOIN LATERAL (
            SELECT sum(e.amount) FILTER (WHERE e.amount > 0 AND a.path LIKE 'agent/' || p.agent_id || '/%') AS creator,
                sum(e.amount) FILTER (WHERE a.path = 'platform/commission') AS commission
            FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id WHERE e.transfer_id = p.transfer_id
        ) b ON true
        LEFT JOIN ledger.spends s ON s.org_id = p.org_id AND s.id = p.spend_id
        WHERE (p.creator_minor, p.commission_minor)
                IS DISTINCT FROM (coalesce(b.creator, 0)::bigint, coalesce(b.commission, 0)::bigint)
            OR (s.captured, s.refunded) IS DISTINCT FROM (p.price_minor, p.taken_minor)
        """,
    ),
    Invariant(
        name="every reserved use of an agent has its spend, and was charged as it was agreed",
        table="marketplace_agreed_uses",
        unit="uses",
        violations="""
        SELECT 'use ' || a.id || ': reserved for ' || a.quantity * a.unit_minor || ', its spend for ' ||
            coalesce(s.amount, 0) || ' took ' || coalesce(s.captured, 0) || ', and the use costs ' ||
            coalesce(u.price_minor, 0)
        FROM marketplace_agreed_uses a
        LEFT JOIN ledger.spends s ON s.org_id = a.org_id AND s.id = a.spend_id
        LEFT JOIN marketplace_uses u ON u.id = a.id
        WHERE a.spend_id IS NOT NULL AND (
            s.amount IS DISTINCT FROM a.quantity * a.unit_minor OR s.captured <> coalesce(u.price_minor, 0)
            OR u.spend_id <> a.spend_id
        ) OR u.quantity > a.quantity
            OR (u.org_id, u.purchase_id, u.agent_id, u.payee_org_id, u.meter, u.unit_minor, u.creator_bps)
            <> (a.org_id, a.purchase_id, a.agent_id, a.payee_org_id, a.meter, a.unit_minor, a.creator_bps)
        """,
    ),
    Invariant(
        name="every use of an agent that a usage event has reported is charged with its event, or neither is",
        table="marketplace_agreed_uses",
        unit="uses",
        violations="""
        SELECT 'use ' || a.id || ': its event was charged by ' || coalesce(c.spend_id::text, 'nothing') ||
            ', the use by ' || coalesce(u.spend_id::text, 'nothing')
        FROM marketplace_agreed_uses a
        LEFT JOIN usage_charges c ON c.use_id = a.id
        LEFT JOIN marketplace_uses u ON u.id = a.id
        WHERE a.spend_id IS NULL AND (c.use_id IS NULL OR c.spend_id IS DISTINCT FROM u.spend_id
            OR u.quantity <> a.quantity OR c.meters <> '{}')
        """,
    ),
    Invariant(
        name="every purchase that was paid for with credits has the spend that took its price",
        table="marketplace_purchases",
        unit="purchases",
        violations="""
        SELECT 'purchase ' || p.id || ': costs ' || p.price_minor || ', its spend took ' || coalesce(s.captured, 0)
        FROM marketplace_purchases p LEFT JOIN ledger.spends s ON s.org_id = p.org_id AND s.id = p.spend_id
        WHERE p.spend_id IS NOT NULL
            AND (s.captured IS DISTINCT FROM p.price_minor OR s.refunded NOT IN (0, p.taken_minor))
        """,
    ),
    Invariant(
        name="what went back of every sale has left its shares, and nothing else has",
        table="marketplace_purchases",
        unit="sales",
        violations="""
        SELECT 'sale ' || p.id || ': of ' || p.price_minor || ' ' || p.taken_minor ||
            ' went back; its shares have ' || coalesce(b.shares, 0)
        FROM (
            SELECT id, payment_id, agent_id, payee_org_id, price_minor, taken_minor, currency FROM marketplace_purchases
            UNION ALL
            SELECT id, NULL, agent_id, payee_org_id, price_minor, taken_minor, 'CREDIT' FROM marketplace_uses
        ) p
        LEFT JOIN LATERAL (
            SELECT sum(e.amount) AS shares
            FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id
            JOIN ledger.accounts a ON a.id = e.account_id
            WHERE t.reference = ANY (ARRAY[p.id, p.payment_id]) AND e.asset = p.currency
              AND (a.path = 'platform/commission' OR a.path LIKE 'platform/tax/%'
                  OR a.path LIKE 'org/' || p.payee_org_id || '/debt/%'
                  OR a.path LIKE 'agent/' || p.agent_id || '/%' AND a.path NOT LIKE 'agent/%/sales/%')
        ) b ON true
        WHERE p.price_minor IS NOT NULL AND coalesce(b.shares, 0) <> p.price_minor - p.taken_minor
        UNION ALL
        SELECT 'purchase ' || id || ': refunded, of ' || price_minor || ' ' || used_minor || ' was used and ' ||
            taken_minor || ' went back'
        FROM marketplace_purchases WHERE status = 'refunded' AND taken_minor < price_minor - used_minor
        """,
    ),
    Invariant(
        name="no credits are left on the way from a sale to its shares",
        table="ledger.accounts",
        unit="accounts",
        violations="""
        SELECT a.path || ': ' || sum(b.posted)
        FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.path LIKE 'agent/%/sales/CREDIT' GROUP BY a.id HAVING sum(b.posted) <> 0
        """,
    ),
)
