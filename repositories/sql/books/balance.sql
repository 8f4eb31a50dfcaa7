-- The data of GET /billing/balance in one round trip: the balance, the debt, the expired part, and the first hundred
-- lots that will expire. Under row-level security: `tenant_balance` sets the tenant first.
CREATE OR REPLACE FUNCTION balance_view(p_org text, p_asset text, OUT posted bigint, OUT pending_out bigint, OUT owed bigint,
                             OUT due bigint, OUT amounts bigint[], OUT expiries timestamptz[])
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    account bigint;
BEGIN
    SELECT b.posted, b.pending_out INTO posted, pending_out FROM public.tenant_balance(p_org, p_asset) b;
    SELECT greatest(0, -sum(b.posted)) INTO owed FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.path = 'org/' || p_org || '/debt/' || p_asset AND a.asset = p_asset;
    IF p_asset = 'CREDIT' THEN
        SELECT a.id INTO account FROM ledger.accounts a WHERE a.path = 'org/' || p_org || '/credits' AND a.asset = p_asset;
        SELECT sum(l.remaining - l.held) INTO due FROM ledger.lots l
        WHERE l.account_id = account AND l.is_open AND l.lapses AND l.expires_at <= now();
        SELECT array_agg(l.free ORDER BY l.expires_at, l.id), array_agg(l.expires_at ORDER BY l.expires_at, l.id)
        INTO amounts, expiries
        FROM (
            SELECT l.id, l.expires_at, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = account AND l.is_open AND l.lapses AND l.expires_at > now() AND l.remaining > l.held
            ORDER BY l.expires_at LIMIT 100
        ) l;
    END IF;
END $$;
GRANT EXECUTE ON FUNCTION balance_view(text, text) TO bursar_api;
