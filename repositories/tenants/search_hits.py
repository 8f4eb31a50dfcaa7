"""Statement that reads the objects of found ids, in display order.

Every part reads by primary key. Row-level security limits what a tenant's session sees.
"""

from domain.common.credits import GrantSource

_BY_HAND = ", ".join(f"'{source.value}'" for source in GrantSource)
_WHOLE = f"""
    SELECT 1 AS place, 'organization' AS kind, id, id AS org_id, NULL::text AS agent_id, name AS title,
        NULL::text AS status, NULL::bigint AS amount_minor, NULL::text AS currency, NULL::text AS workflow_id
    FROM organizations WHERE id = ANY(:ids)
    UNION ALL SELECT 2, 'agent', id, org_id, id, name, visibility, NULL, NULL, NULL FROM agents WHERE id = ANY(:ids)
    UNION ALL
    SELECT 3, 'contract', id, org_id, agent_id, title, NULL, price_minor, currency, NULL
    FROM contracts WHERE id = ANY(:ids)
    UNION ALL
    SELECT 4, 'escrow', e.id, e.org_id, e.agent_id, c.title, e.status,
        e.funded_minor - e.released_minor - e.refunded_minor - e.commission_minor, e.currency, e.workflow_id
    FROM escrows e JOIN contracts c ON c.id = e.contract_id WHERE e.id = ANY(:ids)
    UNION ALL
    SELECT 5, 'payment', id, org_id, NULL, purpose || ' by ' || provider, status, amount_minor, currency, workflow_id
    FROM payments WHERE id = ANY(:ids)
    UNION ALL
    SELECT 6, 'invoice', i.id, i.org_id, NULL, coalesce(i.number, 'draft'), i.status,
        i.total_minor - i.paid_minor - i.prepaid_minor - i.rounded_minor - i.credited_minor - i.written_off_minor,
        i.currency,
        CASE WHEN EXISTS (SELECT FROM invoice_collections n WHERE n.invoice_id = i.id) THEN 'invoice/' || i.id END
    FROM invoices i WHERE i.id = ANY(:ids)
    UNION ALL
    SELECT 7, 'payout', id, org_id, NULL, 'payout by ' || provider, status, amount_minor, currency, 'payout/' || id
    FROM payouts WHERE id = ANY(:ids)
    UNION ALL
    SELECT 8, 'project', id, org_id, NULL, name, CASE WHEN deployed_at IS NULL THEN 'undeployed' ELSE 'deployed' END,
        NULL, NULL, NULL
    FROM projects WHERE id = ANY(:ids)
    UNION ALL
    SELECT 10, 'grant', id, org_id, NULL, concat_ws(': ', source, note), NULL, amount_minor, 'CREDIT', NULL
    FROM credit_lots WHERE id = ANY(:ids) AND source IN ({_BY_HAND})
    UNION ALL
    SELECT 11, 'lot', :exact, org_id, NULL, 'lot by ' || source, CASE WHEN is_open THEN 'open' ELSE 'used' END, amount,
        'CREDIT', NULL
    FROM ledger.lots WHERE id = CAST(:lot AS uuid) AND lapses
        AND NOT EXISTS (SELECT FROM credit_lots WHERE id = ANY(:ids) AND source IN ({_BY_HAND}))
    UNION ALL
    -- The index of uses begins with the organization, so a use of anybody's is looked for in each of them.
    SELECT 12, 'spend', :exact, s.org_id, s.agent_id, s.action, s.status, s.amount, s.asset, NULL
    FROM organizations o CROSS JOIN LATERAL (
        SELECT * FROM ledger.spends WHERE org_id = o.id AND id = CAST(:spend AS uuid) LIMIT 1
    ) s WHERE CAST(:spend AS uuid) IS NOT NULL AND (CAST(:org_id AS text) IS NULL OR o.id = :org_id)
    UNION ALL
    SELECT 13, 'purchase', id, org_id, NULL, 'agent ' || agent_id, status, price_minor, currency, NULL
    FROM marketplace_purchases WHERE id = ANY(:ids)
    UNION ALL
    SELECT 14, 'dispute', id, org_id, NULL, reason, status, amount_minor, currency, NULL
    FROM payment_disputes WHERE id = ANY(:ids)
    UNION ALL
    SELECT 15, 'department', id, org_id, NULL, name, CASE WHEN closed_at IS NULL THEN 'open' ELSE 'closed' END,
        NULL, NULL, NULL
    FROM departments WHERE id = ANY(:ids)
    UNION ALL
    SELECT 16, 'api_key', id, org_id, agent_id, principal,
        CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'active' END,
        NULL, NULL, NULL
    FROM api_keys WHERE id = ANY(:ids) AND CAST(:finds_keys AS boolean)
    UNION ALL
    SELECT 9, 'transfer', :exact, org_id, NULL, kind || coalesce(' of ' || reference, ''), NULL, NULL, NULL, NULL
    FROM ledger.transfers WHERE id = CAST(:transfer AS uuid)
"""
#: Objects with a `parent_id`: they belong to another object, or are about one.
_PARTS = """
    SELECT 17, 'subscription', id, org_id, NULL, plan, status, NULL, NULL, 'subscription/' || id, NULL
    FROM subscriptions WHERE id = ANY(:ids)
    UNION ALL
    SELECT 18, 'refund', :exact, p.org_id, NULL, coalesce(r ->> 'reason', 'refund'), r ->> 'state',
        (r ->> 'amount_minor')::bigint, p.currency, p.workflow_id, p.id
    FROM payments p, jsonb_array_elements(p.state -> 'refunds') r
    WHERE p.id = :refunded_payment AND r ->> 'refund_id' = :exact
    UNION ALL
    SELECT 19, 'credit_note', id, org_id, NULL, number, NULL, amount_minor, currency, NULL, invoice_id
    FROM credit_notes WHERE id = ANY(:ids)
    UNION ALL
    SELECT 20, 'alert', id, org_id, NULL, kind || ': ' || detail, status, NULL, NULL, NULL, subject
    FROM alerts WHERE id = ANY(:ids) AND (CAST(:org_id AS text) IS NULL OR (org_id = :org_id AND shared))
    UNION ALL
    SELECT 21, 'spend_control', :exact, org_id, CASE WHEN subject_kind = 'agent' THEN subject_id END,
        subject_kind || ' ' || subject_id, status, NULL, NULL, NULL, NULL
    FROM ledger.controls WHERE id = CAST(:control AS uuid)
    UNION ALL
    SELECT 22, 'webhook_endpoint', id, org_id, NULL, url, status, NULL, NULL, NULL, NULL
    FROM webhook_endpoints WHERE id = ANY(:ids) AND CAST(:finds_webhooks AS boolean)
    UNION ALL
    SELECT 23, 'event', id, org_id, NULL, type, NULL, NULL, NULL, NULL, subject FROM events WHERE id = ANY(:ids)
"""
HITS = f"""
SELECT h.*, m.external_id FROM (
    SELECT w.*, NULL::text AS parent_id FROM ({_WHOLE}) w UNION ALL {_PARTS}
) h LEFT JOIN object_metadata m ON m.object_id = h.id AND m.org_id = coalesce(CAST(:org_id AS text), h.org_id)
WHERE CAST(:agent_id AS text) IS NULL OR h.agent_id = :agent_id
ORDER BY h.place, h.id DESC LIMIT :limit
"""
