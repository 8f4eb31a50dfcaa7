-- Revenue from lots: the cost of each use of credits leaves deferred revenue once, in pages of a batch.
--
-- Postings record the cost of each use (`ledger.lot_uses`, `ledger.lot_returns`) and book no money for it. The batch
-- reads these rows in the order of their transfers, each once, so its cost does not grow with the books. It locks no
-- lots.

-- The account with the price of an account's credits: earnings of an agent are payable, also during a payout; all other
-- credits are deferred revenue.
CREATE OR REPLACE FUNCTION ledger.cost_path(p_path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_path LIKE 'agent/%/earnings/CREDIT' OR p_path LIKE 'org/%/payouts/%' THEN 'platform/payable' ELSE 'platform/deferred_revenue' END;

-- The destination of the price of credits that leave all lots.
CREATE OR REPLACE FUNCTION ledger.income_path(p_outcome text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE p_outcome WHEN 'expired' THEN 'platform/breakage' WHEN 'commission' THEN 'platform/commission'
    ELSE 'platform/revenue/credits' END;

-- The costs of uses of lots and of returns by transfers after p_after up to p_until: the platform's accounts from and
-- to which they move, and the accounts with lots between which the credits moved, NULL for none. Rows with two equal
-- accounts move nothing.
CREATE OR REPLACE FUNCTION ledger.lot_costs(p_after uuid, p_until uuid)
RETURNS TABLE (
    transfer_id uuid, asset text, source text, destination text, cost bigint, from_account bigint, to_account bigint
)
LANGUAGE sql STABLE
AS $$
    SELECT u.transfer_id, l.paid_asset, ledger.cost_path(a.path),
        CASE u.outcome WHEN 'moved' THEN ledger.cost_path(t.path)
            -- The payout itself has debited the payable account.
            WHEN 'paid_out' THEN ledger.cost_path(a.path) ELSE ledger.income_path(u.outcome) END,
        u.cost, a.id, t.id
    FROM ledger.lot_uses u
    JOIN ledger.lots l ON l.id = u.lot_id
    JOIN ledger.accounts a ON a.id = l.account_id
    LEFT JOIN ledger.lots m ON m.id = u.to_lot
    LEFT JOIN ledger.accounts t ON t.id = m.account_id
    WHERE u.transfer_id > p_after AND u.transfer_id <= p_until AND u.cost > 0
    UNION ALL
    SELECT r.transfer_id, l.paid_asset,
        ledger.income_path(u.outcome), ledger.cost_path(a.path), r.cost, NULL, a.id
    FROM ledger.lot_returns r
    JOIN ledger.lot_uses u ON u.transfer_id = r.used_by AND u.leg = r.leg AND u.lot_id = r.lot_id
    JOIN ledger.lots l ON l.id = r.lot_id
    JOIN ledger.accounts a ON a.id = r.account_id
    WHERE r.transfer_id > p_after AND r.transfer_id <= p_until AND r.cost > 0
$$;

-- Opens one of the accounts between which costs move; see domain/common/accounts.py.
CREATE OR REPLACE FUNCTION ledger.revenue_account(p_path text, p_asset text) RETURNS bigint
LANGUAGE sql
AS $$
    SELECT o.account_id FROM ledger.open_account(p_path, p_asset, NULL,
        CASE WHEN p_path IN ('platform/deferred_revenue', 'platform/payable') THEN 'liability' ELSE 'revenue' END,
        NULL, 64::smallint) o
$$;

-- Sets a mark in the order of transfers, and settles the previous one once every transaction that was open at that time
-- has ended, so that late commits are never skipped. The mark is p_settle old, more than the statement timeout and the
-- clock difference of servers, because a transfer gets its id before its transaction gets a number. A mark of another
-- cluster is replaced. Locks the cursor.
CREATE OR REPLACE FUNCTION ledger.settle_uses(p_settle interval) RETURNS ledger.revenue_place
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place ledger.revenue_place;
    oldest bigint;
    newest bigint;
BEGIN
    PERFORM FROM ledger.revenue_place FOR UPDATE;
    -- After the lock, so that it is not older than a mark that another transaction has set meanwhile.
    oldest := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    newest := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    UPDATE ledger.revenue_place p
    SET settled = CASE WHEN p.mark_in <= oldest THEN greatest(p.settled, p.mark) ELSE p.settled END,
        mark = CASE WHEN p.mark_in <= oldest OR p.mark_in > newest THEN uuidv7(-p_settle) ELSE p.mark END,
        mark_in = CASE WHEN p.mark_in <= oldest OR p.mark_in > newest THEN newest ELSE p.mark_in END
    RETURNING p.* INTO STRICT place;
    RETURN place;
END
$$;

-- Books the costs of the next p_limit uses and returns, one transfer for each of their days, and returns how many there
-- were: fewer than p_limit if none is left. The cursor and the transfers commit together.
CREATE OR REPLACE FUNCTION ledger.recognise_revenue(p_limit integer, p_settle interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A page is found by its keys, regardless of the size of the tables.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    place ledger.revenue_place := ledger.settle_uses(p_settle);
    upto uuid;
    number integer;
    page record;
BEGIN
    SELECT (array_agg(n.transfer_id ORDER BY n.transfer_id DESC))[1], count(*) INTO upto, number FROM (
        SELECT * FROM (
            SELECT u.transfer_id FROM ledger.lot_uses u
            WHERE u.transfer_id > place.booked AND u.transfer_id <= place.settled
            UNION ALL
            SELECT r.transfer_id FROM ledger.lot_returns r
            WHERE r.transfer_id > place.booked AND r.transfer_id <= place.settled
        ) b ORDER BY b.transfer_id LIMIT p_limit
    ) n;
    IF number < p_limit THEN
        upto := place.settled;
    END IF;
    FOR page IN
        SELECT n.day, max(n.at) AS at,
            array_agg(CASE WHEN n.net > 0 THEN n.source ELSE n.destination END ORDER BY n.asset, n.source, n.destination)
                AS sources,
            array_agg(CASE WHEN n.net > 0 THEN n.destination ELSE n.source END ORDER BY n.asset, n.source, n.destination)
                AS destinations,
            array_agg(abs(n.net) ORDER BY n.asset, n.source, n.destination) AS amounts
        FROM (
            SELECT d.day, max(d.at) AS at, d.asset, ledger.revenue_account(least(d.source, d.destination), d.asset) AS source,
                ledger.revenue_account(greatest(d.source, d.destination), d.asset) AS destination,
                sum(CASE WHEN d.source < d.destination THEN d.cost ELSE -d.cost END)::bigint AS net
            FROM (
                SELECT c.*, t.effective_at AS at, (t.effective_at AT TIME ZONE 'UTC')::date AS day
                FROM ledger.lot_costs(place.booked, upto) c JOIN ledger.transfers t ON t.id = c.transfer_id
                WHERE c.source <> c.destination
            ) d
            GROUP BY d.day, d.asset, least(d.source, d.destination), greatest(d.source, d.destination)
        ) n
        WHERE n.net <> 0
        GROUP BY n.day ORDER BY n.day
    LOOP
        PERFORM ledger.post_legs('revenue:' || place.begun || ':' || upto || ':' || page.day, 'revenue.recognised',
            page.sources, page.destinations, page.amounts, NULL, page.at);
    END LOOP;
    UPDATE ledger.revenue_place SET booked = upto;
    RETURN number;
END
$$;
GRANT EXECUTE ON FUNCTION ledger.settle_uses, ledger.recognise_revenue, ledger.lot_costs, ledger.cost_path, ledger.income_path
TO bursar_platform;
