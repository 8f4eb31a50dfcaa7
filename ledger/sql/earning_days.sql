-- Daily earnings and payouts (UTC, by effective time) of each account of agents, summed up with the daily totals of the
-- books, see accounting.sql, in the same transaction. So total earnings are read by days instead of entries.

-- The sums of transfers after p_after up to p_until for agents, by account and day.
CREATE OR REPLACE FUNCTION ledger.earned_by_day(p_after uuid, p_until uuid)
RETURNS TABLE (account_id bigint, day date, earned bigint, paid_out bigint)
LANGUAGE sql STABLE
AS $$
    SELECT e.account_id, (e.effective_at AT TIME ZONE 'UTC')::date,
        coalesce(sum(e.amount) FILTER (WHERE e.amount > 0 AND t.kind <> 'payout.returned'), 0)::bigint,
        coalesce(-sum(e.amount) FILTER (WHERE t.kind IN ('payout.requested', 'payout.returned')), 0)::bigint
    FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE e.transfer_id > p_after AND e.transfer_id <= p_until AND a.path LIKE 'agent/%'
    GROUP BY 1, 2
$$;

CREATE OR REPLACE FUNCTION ledger.add_up_earnings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A page is found by its keys, regardless of the size of the tables.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO ledger.earning_days AS d (account_id, day, earned, paid_out)
    SELECT s.account_id, s.day, s.earned, s.paid_out FROM ledger.earned_by_day(OLD.summed, NEW.summed) s
    ON CONFLICT (account_id, day)
    DO UPDATE SET earned = d.earned + excluded.earned, paid_out = d.paid_out + excluded.paid_out;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER add_up_earnings AFTER UPDATE OF summed ON ledger.accounting_place
FOR EACH ROW EXECUTE FUNCTION ledger.add_up_earnings();

-- The entries of an organization that are not summed up yet, by the index of its transfers: no plan reads its history.
CREATE OR REPLACE FUNCTION ledger.entries_not_added_up(p_org text)
RETURNS TABLE (account_id bigint, transfer_id uuid, amount bigint, effective_at timestamptz)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    SELECT e.account_id, e.transfer_id, e.amount, e.effective_at FROM ledger.entries e
    WHERE e.org_id = p_org AND e.transfer_id > (SELECT p.summed FROM ledger.accounting_place p)
$$;
GRANT EXECUTE ON FUNCTION ledger.earned_by_day TO bursar_platform;
GRANT EXECUTE ON FUNCTION ledger.entries_not_added_up TO bursar_api, bursar_platform;
