-- Reading. These run with the caller's own rights, so row-level security binds a tenant here as everywhere.

-- The balance of the account at the end of p_at by effective time, including entries recorded later.
CREATE OR REPLACE FUNCTION ledger.balance_as_of(p_account bigint, p_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger.entries e
    WHERE e.account_id = p_account AND e.effective_at <= p_at
$$;

-- A tenant's own balance in one round trip: sets the tenant for this transaction and reads under its policies. Always
-- one row, zeros without an account. The tenant of a transaction cannot be changed.
CREATE OR REPLACE FUNCTION public.tenant_balance(p_org text, p_asset text, OUT posted bigint, OUT pending_out bigint)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    SELECT coalesce(sum(b.posted), 0)::bigint, coalesce(sum(b.pending_out), 0)::bigint
    INTO posted, pending_out
    FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
    WHERE a.asset = p_asset
      AND a.path = CASE p_asset WHEN 'CREDIT' THEN 'org/' || p_org || '/credits'
                   ELSE 'org/' || p_org || '/cash/' || p_asset END;
END
$$;
