-- Daily revenue and expenses (UTC, by effective time) from each organization, by line of the chart of accounts.
-- Commission, subscriptions and fees are added with the daily totals, see accounting.sql; the cost of used credits is
-- added when it is recognised, see revenue.sql, because the books have one transfer for all organizations.

-- The sums of transfers after p_after up to p_until, without recognised costs of lots.
CREATE OR REPLACE FUNCTION ledger.revenue_by_day(p_after uuid, p_until uuid)
RETURNS TABLE (org_id text, day date, line text, asset text, amount bigint)
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(t.org_id, ''), (e.effective_at AT TIME ZONE 'UTC')::date, a.path, e.asset, sum(e.amount)::bigint
    FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE e.transfer_id > p_after AND e.transfer_id <= p_until AND a.kind IN ('revenue', 'expense')
        AND t.kind <> 'revenue.recognised'
    GROUP BY 1, 2, 3, 4
$$;

-- The recognised costs of lots by transfers after p_after up to p_until.
CREATE OR REPLACE FUNCTION ledger.recognised_by_day(p_after uuid, p_until uuid)
RETURNS TABLE (org_id text, day date, line text, asset text, amount bigint)
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(t.org_id, ''), (t.effective_at AT TIME ZONE 'UTC')::date, r.line, c.asset, sum(r.cost)::bigint
    FROM ledger.lot_costs(p_after, p_until) c JOIN ledger.transfers t ON t.id = c.transfer_id
    CROSS JOIN LATERAL (VALUES (c.source, -c.cost), (c.destination, c.cost)) AS r (line, cost)
    WHERE c.source <> c.destination
        AND r.line IN ('platform/breakage', 'platform/commission', 'platform/revenue/credits')
    GROUP BY 1, 2, 3, 4
$$;

-- The price of credits that entered and left escrows and earnings of agents by transfers after p_after up to p_until;
-- returned payouts do not count as leaving.
CREATE OR REPLACE FUNCTION ledger.costs_by_day(p_after uuid, p_until uuid)
RETURNS TABLE (org_id text, agent_id text, day date, line text, asset text, came bigint, went bigint)
LANGUAGE sql STABLE
AS $$
    SELECT n.org_id, n.agent_id, n.day, n.line, n.asset, n.came, n.came - n.net FROM (
        SELECT CASE WHEN a.path LIKE 'agent/%' THEN a.org_id ELSE '' END AS org_id,
            CASE WHEN a.path LIKE 'agent/%' THEN split_part(a.path, '/', 2) ELSE '' END AS agent_id,
            (t.effective_at AT TIME ZONE 'UTC')::date AS day, ledger.chart_line(a.path) AS line, c.asset,
            coalesce(sum(m.cost) FILTER (WHERE m.cost > 0 AND t.kind <> 'payout.returned'), 0)::bigint AS came,
            sum(m.cost)::bigint AS net
        FROM ledger.lot_costs(p_after, p_until) c JOIN ledger.transfers t ON t.id = c.transfer_id
        CROSS JOIN LATERAL (VALUES (c.from_account, -c.cost), (c.to_account, c.cost)) AS m (account_id, cost)
        JOIN ledger.accounts a ON a.id = m.account_id
        WHERE c.from_account IS DISTINCT FROM c.to_account
            AND (a.path LIKE 'escrow/%' OR a.path LIKE 'agent/%/earnings/CREDIT')
        GROUP BY 1, 2, 3, 4, 5
    ) n
$$;

CREATE OR REPLACE FUNCTION ledger.add_up_revenue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A page is found by its keys, regardless of the size of the tables.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounting_place' THEN
        INSERT INTO ledger.revenue_days AS d (org_id, day, line, asset, amount)
        SELECT s.org_id, s.day, s.line, s.asset, s.amount FROM ledger.revenue_by_day(OLD.summed, NEW.summed) s
        ON CONFLICT (org_id, day, line, asset) DO UPDATE SET amount = d.amount + excluded.amount;
    ELSE
        INSERT INTO ledger.revenue_days AS d (org_id, day, line, asset, amount)
        SELECT s.org_id, s.day, s.line, s.asset, s.amount FROM ledger.recognised_by_day(OLD.booked, NEW.booked) s
        ON CONFLICT (org_id, day, line, asset) DO UPDATE SET amount = d.amount + excluded.amount;
        INSERT INTO ledger.cost_days AS d (org_id, agent_id, day, line, asset, came, went)
        SELECT s.* FROM ledger.costs_by_day(OLD.booked, NEW.booked) s
        ON CONFLICT (org_id, day, line, agent_id, asset)
        DO UPDATE SET came = d.came + excluded.came, went = d.went + excluded.went;
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER add_up_revenue AFTER UPDATE OF summed ON ledger.accounting_place
FOR EACH ROW EXECUTE FUNCTION ledger.add_up_revenue();
CREATE OR REPLACE TRIGGER add_up_revenue AFTER UPDATE OF booked ON ledger.revenue_place
FOR EACH ROW EXECUTE FUNCTION ledger.add_up_revenue();
REVOKE EXECUTE ON FUNCTION ledger.revenue_by_day, ledger.recognised_by_day, ledger.costs_by_day, ledger.add_up_revenue
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.revenue_by_day, ledger.recognised_by_day, ledger.costs_by_day TO bursar_platform;
