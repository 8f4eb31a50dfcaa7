-- What an organization has spent other than by spends: the definition is in `domain/insight/spent.py`. In minor units of
-- `asset`; with p_in_money credits count at the purchase price of their lots. `agent_id` is the agent that spent, and
-- `payee_id` the one that was paid; `is_credits`: it was paid with credits. Reads rows of the period only. Under row-level security.
CREATE OR REPLACE FUNCTION spent_elsewhere(p_org text, p_since timestamptz, p_until timestamptz, p_in_money boolean)
RETURNS TABLE (
    at timestamptz, part text, service text, agent_id text, payee_id text, department_id text, project_id text,
    asset text, minor bigint, is_credits boolean
)
LANGUAGE sql STABLE
AS $$
    -- A fee of the method is a part of what was charged for the order itself.
    SELECT c.at, 'purchases', k.service, c.agent_id, NULL, c.department_id, c.project_id, c.asset, k.minor,
        c.asset = 'CREDIT'
    FROM ledger.purchase_counts c CROSS JOIN LATERAL (
        SELECT least(c.spent - c.refunded, CASE c.number WHEN 0 THEN coalesce((
            SELECT sum(a.fee_minor) FROM purchase_attempts a WHERE a.order_id = c.order_id AND a.status = 'succeeded'
        ), 0) ELSE 0 END)::bigint AS minor
    ) f CROSS JOIN LATERAL (
        VALUES ('purchase.order', c.spent - c.refunded - f.minor), ('purchase.fee', f.minor)
    ) k (service, minor)
    WHERE c.org_id = p_org AND c.at >= p_since AND c.at < p_until AND c.spent > c.refunded
    UNION ALL
    -- An agent that is bought with credits is in its spend; a person buys it with money.
    SELECT p.bought_at, 'agents', 'marketplace.purchase', NULL, p.agent_id, NULL, NULL, p.currency,
        p.price_minor - p.taken_minor, false
    FROM marketplace_purchases p
    WHERE p.org_id = p_org AND p.payment_id IS NOT NULL AND p.bought_at >= p_since AND p.bought_at < p_until
        AND p.payee_org_id <> p.org_id
    UNION ALL
    -- What each transfer has taken from the payer: of work by an own agent that is the commission. An escrow that has
    -- paid in the period was made before its end, and has not changed last before its start.
    SELECT t.effective_at, 'jobs', CASE WHEN e.payee_org_id = e.org_id THEN 'job.commission' ELSE 'job' END,
        c.agent_id, e.agent_id, c.department_id, c.project_id, t.asset, t.paid, e.currency = 'CREDIT'
    FROM escrows e CROSS JOIN LATERAL (
        SELECT t.effective_at, p.asset, p.paid FROM ledger.transfers t CROSS JOIN LATERAL (
            SELECT e.currency AS asset, -sum(n.amount)::bigint AS paid FROM ledger.entries n
            WHERE n.transfer_id = t.id AND n.org_id = e.org_id AND NOT (p_in_money AND e.currency = 'CREDIT')
            UNION ALL
            SELECT p.asset, p.cost FROM paid_by_transfers(e.org_id, ARRAY[t.id]) p
            WHERE p_in_money AND e.currency = 'CREDIT'
        ) p
        WHERE t.reference = e.id AND t.kind IN ('escrow.released', 'escrow.split')
            AND t.effective_at >= p_since AND t.effective_at < p_until
    ) t LEFT JOIN LATERAL (
        SELECT * FROM ledger.escrow_counts c WHERE c.escrow_id = e.id AND c.org_id = e.org_id LIMIT 1
    ) c ON true
    WHERE e.org_id = p_org AND e.released_minor + e.commission_minor > 0 AND e.updated_at >= p_since
        AND e.created_at < p_until
    UNION ALL
    SELECT b.settled_at, 'subscriptions', 'plan', NULL, NULL, NULL, NULL, b.currency,
        greatest(0, b.amount_minor - b.for_credits_minor - b.credited_minor), false
    FROM subscription_bills b JOIN invoices i ON i.id = b.invoice_id AND i.status = 'paid'
    WHERE b.org_id = p_org AND b.settled_at >= p_since AND b.settled_at < p_until
    UNION ALL
    SELECT p.created_at, 'subscriptions', 'slots', NULL, NULL, NULL, NULL, p.currency,
        p.received_minor - p.refunded_minor, false
    FROM payments p
    WHERE p.org_id = p_org AND p.purpose = 'slot' AND p.created_at >= p_since AND p.created_at < p_until
        AND p.status IN ('succeeded', 'partially_refunded', 'disputed')
    UNION ALL
    -- Without tax; what credits paid that were taxed before is deducted before tax.
    SELECT i.issued_at, 'uses', 'invoice', NULL, NULL, NULL, NULL, i.currency, i.taxed_minor + coalesce(
        round(i.subtotal_minor::numeric * (i.paid_minor + i.prepaid_minor) / nullif(i.total_minor, 0)), 0)::bigint, false
    FROM invoices i
    WHERE i.org_id = p_org AND i.status IN ('open', 'paid', 'uncollectible') AND i.issued_at >= p_since
        AND i.issued_at < p_until
        AND NOT EXISTS (SELECT FROM subscription_bills b WHERE b.invoice_id = i.id)
$$;
GRANT EXECUTE ON FUNCTION spent_elsewhere TO bursar_api, bursar_platform;
