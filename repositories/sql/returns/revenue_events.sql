-- What a transfer brings an organization that sells: of an escrow that is paid out, a sale or a use of an agent; below
-- zero where it takes back, as refunds, chargebacks and recoveries do. No row for other transfers, for an agent's work for
-- its own organization, nor for what moves between the seller's own accounts. `commission` is part of the amount.
-- What a recovery takes belongs to the sale that earned it. An escrow pays in parts: `sale` is the transfer of the part;
-- a sale of the marketplace has one, which its reference names, and NULL here. Names are qualified, because `verify` asks
-- it too; without settings of its own it is inlined there.
--
-- `money` is what was paid for the credits of the amount and of the commission, by currency: `{"USD": [150, 15]}`, below
-- zero where it is taken back. Nobody paid for granted credits. What a seller owes because it has spent what it earned is
-- taken back at what the sale brought for each credit.
CREATE OR REPLACE FUNCTION revenue_of_transfer(p_transfer uuid, p_kind text, p_reference text)
RETURNS TABLE (org_id text, agent_id text, source text, reference text, sale uuid, is_sale boolean, asset text,
    amount bigint, commission bigint, money jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT s.org_id, s.agent_id, s.source, s.reference, s.sale, t.is_sale, m.asset, m.amount, m.commission, w.money
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
        SELECT e.payee_org_id AS org_id, e.agent_id, 'escrow' AS source, e.id AS reference, t.id AS sale, t.id AS earned_by
        FROM public.escrows e
        WHERE e.id = t.reference AND e.org_id <> e.payee_org_id AND t.kind IN ('escrow.released', 'escrow.split')
        UNION ALL
        SELECT p.payee_org_id, p.agent_id, 'marketplace', p.id, NULL, p.transfer_id FROM public.marketplace_purchases p
        WHERE p.id = t.reference AND p.org_id <> p.payee_org_id AND t.kind LIKE 'marketplace.%'
        UNION ALL
        SELECT u.payee_org_id, u.agent_id, 'marketplace', u.id, NULL, u.transfer_id FROM public.marketplace_uses u
        WHERE u.id = t.reference AND u.org_id <> u.payee_org_id AND t.kind LIKE 'marketplace.%'
        UNION ALL
        SELECT p.payee_org_id, p.agent_id, 'marketplace', p.id, NULL, NULL FROM public.marketplace_purchases p
        WHERE p.payment_id = t.reference AND p.org_id <> p.payee_org_id AND t.kind LIKE 'payment.%'
    ) s CROSS JOIN LATERAL (
        -- The seller's part may pay what its organization owes at once, and is taken back from there too.
        SELECT e.asset, sum(e.amount)::bigint AS amount,
            coalesce(sum(e.amount) FILTER (WHERE a.org_id IS NULL), 0)::bigint AS commission
        FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
        WHERE e.transfer_id = p_transfer AND (a.path = 'platform/commission'
            OR a.org_id = s.org_id AND a.path NOT LIKE 'agent/%/sales/%')
        GROUP BY e.asset HAVING sum(e.amount) <> 0
    ) m CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(c.asset, jsonb_build_array(c.cost, c.commission)), '{}') AS money FROM (
            SELECT c.asset, sum(c.cost)::bigint AS cost,
                coalesce(sum(c.cost) FILTER (WHERE c.is_commission), 0)::bigint AS commission
            FROM (
                -- Used up are the credits of the commission. What goes back to the payer is neither.
                SELECT l.paid_asset AS asset, t.is_sale AND u.to_lot IS NULL AS is_commission,
                    CASE WHEN t.is_sale THEN u.cost ELSE -u.cost END AS cost
                FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id LEFT JOIN ledger.lots n ON n.id = u.to_lot
                WHERE u.transfer_id = p_transfer AND u.cost > 0
                    AND CASE WHEN t.is_sale THEN coalesce(n.org_id = s.org_id, true) ELSE l.org_id = s.org_id END
                UNION ALL
                SELECT l.paid_asset, true, -r.cost FROM ledger.lot_returns r JOIN ledger.lots l ON l.id = r.lot_id
                WHERE r.transfer_id = p_transfer AND r.cost > 0
                UNION ALL
                SELECT b.asset, false, -div(b.cost * o.owed, b.credits)::bigint FROM (
                    SELECT -sum(e.amount) AS owed FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
                    WHERE e.transfer_id = p_transfer AND a.path = 'org/' || s.org_id || '/debt/CREDIT' AND e.amount < 0
                ) o CROSS JOIN (
                    SELECT l.paid_asset AS asset, sum(u.cost) AS cost, sum(sum(u.amount)) OVER () AS credits
                    FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
                    JOIN ledger.lots n ON n.id = u.to_lot AND n.org_id = s.org_id
                    WHERE u.transfer_id = s.earned_by GROUP BY l.paid_asset
                ) b WHERE o.owed > 0 AND NOT t.is_sale
            ) c WHERE c.asset IS NOT NULL AND m.asset = 'CREDIT' GROUP BY c.asset
        ) c WHERE c.cost <> 0 OR c.commission <> 0
    ) w
$$;

-- What an event has in money after a transfer: by currency the amount, what of it was taken back, and the commission.
CREATE OR REPLACE FUNCTION revenue_in_money(p_before jsonb, p_moved jsonb, p_is_sale boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(jsonb_object_agg(key, jsonb_build_array(amount, reversed, commission)), '{}') FROM (
        SELECT key, sum(amount) AS amount, sum(reversed) AS reversed, sum(commission) AS commission FROM (
            SELECT key, (value ->> 0)::bigint AS amount, (value ->> 1)::bigint AS reversed, (value ->> 2)::bigint AS commission
            FROM jsonb_each(p_before)
            UNION ALL
            SELECT key, CASE WHEN p_is_sale THEN (value ->> 0)::bigint ELSE 0 END,
                CASE WHEN p_is_sale THEN 0 ELSE -(value ->> 0)::bigint END, (value ->> 1)::bigint
            FROM jsonb_each(p_moved)
        ) m GROUP BY key
    ) m
$$;

-- What was paid for the credits that transfers took from an organization, less what came back to it by them. An
-- organization asks for itself: of credits that come back from others it sees no lot.
CREATE OR REPLACE FUNCTION paid_by_transfers(p_org text, p_transfers uuid[])
RETURNS TABLE (transfer_id uuid, asset text, cost bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- Each transfer is found by its key, however large the tables have become.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    RETURN QUERY
        SELECT t.id, m.asset, sum(m.cost)::bigint FROM unnest(p_transfers) t (id) CROSS JOIN LATERAL (
            SELECT l.paid_asset AS asset, CASE WHEN l.org_id = p_org THEN u.cost ELSE -u.cost END AS cost
            FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id LEFT JOIN ledger.lots n ON n.id = u.to_lot
            WHERE u.transfer_id = t.id AND u.cost > 0 AND (l.org_id = p_org) <> coalesce(n.org_id = p_org, false)
            UNION ALL
            SELECT l.paid_asset, -r.cost FROM ledger.lot_returns r JOIN ledger.lots l ON l.id = r.lot_id
            JOIN ledger.accounts a ON a.id = r.account_id
            WHERE r.transfer_id = t.id AND r.cost > 0 AND a.org_id = p_org
        ) m GROUP BY t.id, m.asset HAVING sum(m.cost) <> 0;
END
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
                amount_minor, commission_minor, money, status, transfer_id, occurred_at, confirmed_at)
            VALUES (public.type_id('rvn', NEW.id), v_move.org_id, v_move.agent_id,
                (SELECT a.project_id FROM public.agents a WHERE a.id = v_move.agent_id AND a.org_id = v_move.org_id),
                v_move.source, v_move.reference, v_move.asset, v_move.amount, v_move.commission,
                public.revenue_in_money('{}', v_move.money, true), 'confirmed', NEW.id, NEW.effective_at, NEW.effective_at)
            ON CONFLICT DO NOTHING;
        ELSE
            UPDATE public.revenue_events r SET reversed_minor = r.reversed_minor - v_move.amount,
                commission_minor = r.commission_minor + v_move.commission,
                money = public.revenue_in_money(r.money, v_move.money, false),
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
GRANT EXECUTE ON FUNCTION revenue_of_transfer, revenue_in_money, paid_by_transfers TO bursar_platform;
GRANT EXECUTE ON FUNCTION paid_by_transfers TO bursar_api;
