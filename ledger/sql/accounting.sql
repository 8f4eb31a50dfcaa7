-- Debits and credits of each day (UTC, by effective time), by line of the chart of accounts. A batch sums up transfers
-- in their order, each once, so that reports read days instead of the history.

-- The line of an account in the chart of accounts: accounts of one kind of all tenants share a line.
CREATE OR REPLACE FUNCTION ledger.chart_line(p_path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE split_part(p_path, '/', 1)
    WHEN 'org' THEN 'customers/' || split_part(p_path, '/', 3)
    WHEN 'agent' THEN 'creators/' || split_part(p_path, '/', 3)
    WHEN 'escrow' THEN 'customers/escrow'
    ELSE p_path
END;

-- The sums of transfers after p_after up to p_until, by day, line and asset.
CREATE OR REPLACE FUNCTION ledger.sums_by_day(p_after uuid, p_until uuid)
RETURNS TABLE (day date, line text, kind text, asset text, debits numeric, credits numeric)
LANGUAGE sql STABLE
AS $$
    SELECT (e.effective_at AT TIME ZONE 'UTC')::date, ledger.chart_line(a.path), a.kind, e.asset,
        -coalesce(sum(e.amount) FILTER (WHERE e.amount < 0), 0), coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0)
    FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
    WHERE e.transfer_id > p_after AND e.transfer_id <= p_until
    GROUP BY 1, 2, 3, 4
$$;

-- Sums up the next p_limit settled transfers, see ledger.settle_uses, and returns how many there were: fewer than
-- p_limit if none is left. The cursor and the sums commit together.
CREATE OR REPLACE FUNCTION ledger.add_up_days(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A page is found by its keys, regardless of the size of the tables.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    place uuid;
    settled uuid := (SELECT p.settled FROM ledger.revenue_place p);
    upto uuid;
    number integer;
BEGIN
    SELECT p.summed INTO STRICT place FROM ledger.accounting_place p FOR UPDATE;
    SELECT (array_agg(n.id ORDER BY n.id DESC))[1], count(*) INTO upto, number FROM (
        SELECT t.id FROM ledger.transfers t WHERE t.id > place AND t.id <= settled ORDER BY t.id LIMIT p_limit
    ) n;
    IF number = 0 THEN
        RETURN 0;
    END IF;
    INSERT INTO ledger.accounting_days AS d (day, line, kind, asset, debits, credits)
    SELECT s.day, s.line, s.kind, s.asset, s.debits, s.credits FROM ledger.sums_by_day(place, upto) s
    ON CONFLICT (day, line, kind, asset)
    DO UPDATE SET debits = d.debits + excluded.debits, credits = d.credits + excluded.credits;
    UPDATE ledger.accounting_place SET summed = upto;
    RETURN number;
END
$$;
GRANT EXECUTE ON FUNCTION ledger.chart_line, ledger.sums_by_day, ledger.add_up_days TO bursar_platform;
