-- What GET /billing/balance reads, in one round trip: the balance, what is owed, and the lots that have yet to expire. Run
-- by migrations 0002 and 0004; running it again replaces it. Row-level security holds inside: `tenant_balance` sets the tenant first.
DROP FUNCTION IF EXISTS balance_view(text, text);
CREATE FUNCTION balance_view(p_org text, p_asset text, OUT posted bigint, OUT pending_out bigint, OUT owed bigint,
                             OUT lasting bigint, OUT amounts bigint[], OUT expiries timestamptz[])
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    SELECT b.posted, b.pending_out INTO posted, pending_out FROM public.tenant_balance(p_org, p_asset) b;
    SELECT greatest(0, -sum(b.posted)) INTO owed FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.path = 'org/' || p_org || '/debt/' || p_asset AND a.asset = p_asset;
    IF p_asset = 'CREDIT' THEN
        SELECT array_agg(l.amount_minor ORDER BY l.expires_at, l.id), array_agg(l.expires_at ORDER BY l.expires_at, l.id)
        INTO amounts, expiries
        FROM public.credit_lots l WHERE l.org_id = p_org AND l.expires_at > now();
        IF amounts IS NOT NULL THEN
            SELECT sum(l.amount_minor) INTO lasting
            FROM public.credit_lots l WHERE l.org_id = p_org AND l.expires_at IS NULL;
        END IF;
    END IF;
END $$;
REVOKE ALL ON FUNCTION balance_view(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION balance_view(text, text) TO bursar_api;
