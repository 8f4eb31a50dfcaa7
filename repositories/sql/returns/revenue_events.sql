-- What a transfer brings an organization that sells: of an escrow that is paid out, a sale or a use of an agent; below
-- zero where it takes back, as refunds, chargebacks and recoveries do. No row for other transfers, for an agent's work for
-- its own organization, nor for what moves between the seller's own accounts. `commission` is part of the amount.
-- What a recovery takes belongs to the sale that earned it. An escrow pays in parts: `sale` is the transfer of the part;
-- a sale of the marketplace has one, which its reference names, and NULL here. Names are qualified, because `verify` asks
-- it too; without settings of its own it is inlined there.
CREATE OR REPLACE FUNCTION revenue_of_transfer(p_transfer uuid, p_kind text, p_reference text)
RETURNS TABLE (org_id text, agent_id text, source text, reference text, sale uuid, is_sale boolean, asset text,
    amount bigint, commission bigint)
LANGUAGE sql STABLE
AS $$
    SELECT s.org_id, s.agent_id, s.source, s.reference, s.sale, t.is_sale, m.asset, m.amount, m.commission
    FROM (
        SELECT coalesce(o.kind, p_kind) AS kind, coalesce(o.reference, p_reference) AS reference,
            coalesce(o.id, p_transfer) AS id, o.kind IS NULL AND p_kind IN ('escrow.released', 'escrow.split',
            'marketplace.sold', 'marketplace.used', 'payment.agent_bought') AS is_sale
        FROM (SELECT) one LEFT JOIN LATERAL (
            SELECT f.id, f.kind, f.reference FROM public.recoveries r
            JOIN public.recovery_shares p ON p.recovery_id = r.id AND p.transfer_id = p_transfer
            -- The lot of credits that was earned, or the transfer of money.
            LEFT JOIN ledger.lots l ON l.id = p.source::uuid
            JOIN ledger.transfers f ON f.id = coalesce(l.transfer_id, p.source::uuid)
            WHERE p_kind = 'earnings.recovered' AND r.payment_id = p_reference
        ) o ON true
    ) t CROSS JOIN LATERAL (
        SELECT e.payee_org_id AS org_id, e.agent_id, 'escrow' AS source, e.id AS reference, t.id AS sale
        FROM public.escrows e
        WHERE e.id = t.reference AND e.org_id <> e.payee_org_id AND t.kind IN ('escrow.released', 'escrow.split')
        UNION ALL
        SELECT p.payee_org_id, p.agent_id, 'marketplace', p.id, NULL FROM public.marketplace_purchases p
        WHERE p.id = t.reference AND p.org_id <> p.payee_org_id AND t.kind LIKE 'marketplace.%'
        UNION ALL
        SELECT u.payee_org_id, u.agent_id, 'marketplace', u.id, NULL FROM public.marketplace_uses u
        WHERE u.id = t.reference AND u.org_id <> u.payee_org_id AND t.kind LIKE 'marketplace.%'
        UNION ALL
        SELECT p.payee_org_id, p.agent_id, 'marketplace', p.id, NULL FROM public.marketplace_purchases p
        WHERE p.payment_id = t.reference AND p.org_id <> p.payee_org_id AND t.kind LIKE 'payment.%'
    ) s CROSS JOIN LATERAL (
        -- The seller's part may pay what its organization owes at once, and is taken back from there too.
        SELECT e.asset, sum(e.amount)::bigint AS amount,
            coalesce(sum(e.amount) FILTER (WHERE a.org_id IS NULL), 0)::bigint AS commission
        FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
        WHERE e.transfer_id = p_transfer AND (a.path = 'platform/commission'
            OR a.org_id = s.org_id AND a.path NOT LIKE 'agent/%/sales/%')
        GROUP BY e.asset HAVING sum(e.amount) <> 0
    ) m
$$;

-- Writes what a transfer brought, or takes it back from what brought it, when its transaction commits: then its entries
-- are there, and the sale too. Nothing here refuses a transfer.
CREATE OR REPLACE FUNCTION note_revenue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_move record;
BEGIN
    FOR v_move IN SELECT * FROM public.revenue_of_transfer(NEW.id, NEW.kind, NEW.reference) LOOP
        IF v_move.is_sale THEN
            INSERT INTO public.revenue_events (id, org_id, agent_id, project_id, source, reference, currency,
                amount_minor, commission_minor, status, transfer_id, occurred_at, confirmed_at)
            VALUES (public.type_id('rvn', NEW.id), v_move.org_id, v_move.agent_id,
                (SELECT a.project_id FROM public.agents a WHERE a.id = v_move.agent_id AND a.org_id = v_move.org_id),
                v_move.source, v_move.reference, v_move.asset, v_move.amount, v_move.commission, 'confirmed', NEW.id,
                NEW.effective_at, NEW.effective_at)
            ON CONFLICT DO NOTHING;
        ELSE
            UPDATE public.revenue_events r SET reversed_minor = r.reversed_minor - v_move.amount,
                commission_minor = r.commission_minor + v_move.commission,
                status = CASE WHEN r.reversed_minor - v_move.amount >= r.amount_minor THEN 'reversed' ELSE 'confirmed' END
            WHERE r.org_id = v_move.org_id AND r.source = v_move.source AND r.reference = v_move.reference
                AND (v_move.sale IS NULL OR r.transfer_id = v_move.sale);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER note_revenue AFTER INSERT ON ledger.transfers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.kind LIKE 'payment.%' OR NEW.kind IN ('escrow.released', 'escrow.split', 'marketplace.sold',
        'marketplace.used', 'marketplace.refunded', 'earnings.recovered'))
    EXECUTE FUNCTION note_revenue();
REVOKE EXECUTE ON FUNCTION revenue_of_transfer, note_revenue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revenue_of_transfer TO bursar_platform;
