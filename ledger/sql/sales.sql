-- Sales between organizations for credits, charged and shared.

-- Whether an organization has ever owed credits.
CREATE OR REPLACE FUNCTION ledger.has_owed(p_org text) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM ledger.balances b WHERE b.account_id = ledger.debts_of(p_org) AND b.stripe = 0 AND b.version > 0
    );
END
$$;

-- Divides an amount captured into the account of sales: the creator's part, with granted credits kept apart unless they
-- are paid out, and the commission. The lots move along; p_list is the list price of credits as in `share` of
-- `ledger.move_lots`, or empty. `has_owed`: the payee has ever owed credits, which its earnings may have to pay. The
-- caller has locked its debts. Errors as `ledger.post`.
CREATE OR REPLACE FUNCTION ledger.share_sale(
    p_key text, p_kind text, p_sales bigint, p_earned bigint, p_apart bigint, p_commission bigint,
    p_creator_amount bigint, p_commission_amount bigint, p_pays_granted boolean, p_reference text, p_org text,
    p_payee text, p_at timestamptz, p_list jsonb, OUT transfer_id uuid, OUT granted bigint, OUT has_owed boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    platform bigint := p_commission_amount;
    paid jsonb;
BEGIN
    granted := 0;
    IF NOT p_pays_granted THEN
        SELECT g.granted, g.platform_paid INTO granted, platform
        FROM ledger.granted_part(p_sales, p_creator_amount, p_commission_amount, p_at) g;
    END IF;
    paid := jsonb_build_object('share', p_list || jsonb_build_object('platform', platform))
        || CASE WHEN p_pays_granted THEN '{}'::jsonb ELSE '{"only": "paid"}' END;
    SELECT t.transfer_id INTO transfer_id
    FROM (
        SELECT array_fill(p_sales, ARRAY[count(*)::integer]) AS sources,
            array_agg(l.destination ORDER BY l.ord) AS destinations, array_agg(l.amount ORDER BY l.ord) AS amounts,
            jsonb_agg(l.terms ORDER BY l.ord) AS terms
        FROM (VALUES
            (1, p_apart, granted, '{"only": "granted"}'::jsonb),
            (2, p_earned, p_creator_amount - granted, paid),
            (3, p_commission, p_commission_amount, 'null'::jsonb)
        ) AS l (ord, destination, amount, terms)
        WHERE l.amount > 0
    ) legs, LATERAL ledger.post_legs(
        p_key, p_kind, legs.sources, legs.destinations, legs.amounts, p_reference, p_at, p_org, NULL, legs.terms
    ) t;
    has_owed := ledger.has_owed(p_payee);
END
$$;

-- Charges a price through the spend controls, into the account of sales, and shares it. `answer` is NULL, without
-- effect, if the payee has ever owed credits, which its earnings may have to pay. Without a transfer `answer` is why
-- there was no sale, or what its key has reserved before.
CREATE OR REPLACE FUNCTION ledger.sell(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_expires_at timestamptz,
    p_payee text, p_sales bigint, p_earned bigint, p_apart bigint, p_commission bigint, p_creator_amount bigint,
    p_pays_granted boolean, p_share_key text, p_share_kind text, p_reference text, p_at timestamptz, p_list jsonb,
    p_paid_only boolean,
    OUT answer ledger.spend_answer, OUT transfer_id uuid, OUT granted bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM ledger.lock_debts(p_payee);
    IF ledger.has_owed(p_payee) THEN
        RETURN;
    END IF;
    PERFORM ledger.lock_balances(ARRAY[ledger.credits_of(p_org), p_sales, p_earned, p_apart, p_commission]);
    answer := ledger.authorize_at(
        p_org, p_key, p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run, p_key_id, p_principal,
        p_metadata, p_expires_at, p_paid_only, 'operating', 'refuse', p_at
    );
    IF answer.status <> 'reserved' OR answer.replayed THEN
        RETURN;
    END IF;
    PERFORM ledger.settle_to(p_org, p_key, answer.spend_id, NULL, false, p_sales, p_at);
    SELECT s.transfer_id, s.granted INTO transfer_id, granted
    FROM ledger.share_sale(
        p_share_key, p_share_kind, p_sales, p_earned, p_apart, p_commission, p_creator_amount,
        p_amount - p_creator_amount, p_pays_granted, p_reference, p_org, p_payee, p_at, p_list
    ) s;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.share_sale, ledger.sell TO bursar_platform;
