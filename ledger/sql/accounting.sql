-- What was debited and credited on each day (UTC, by business time), by line of the chart of accounts: kept by a
-- batch that goes through transfers in their order and reads none twice, so reports read days and not history.

-- The line of the chart on which an account stands: what belongs to tenants is one line for all of them.
CREATE OR REPLACE FUNCTION ledger.chart_line(p_path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE split_part(p_path, '/', 1)
    WHEN 'org' THEN 'customers/' || split_part(p_path, '/', 3)
    WHEN 'agent' THEN 'creators/' || split_part(p_path, '/', 3)
    WHEN 'escrow' THEN 'customers/escrow'
    ELSE p_path
END;

-- What transfers after p_after up to p_until come to, by day, line and asset.
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

-- Adds up the next p_limit transfers that are settled, see ledger.settle_uses, and answers how many there were: fewer
-- than p_limit when none is left. The place and the sums commit together.
CREATE OR REPLACE FUNCTION ledger.add_up_days(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A page is found by its keys, however large the tables have become.
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
