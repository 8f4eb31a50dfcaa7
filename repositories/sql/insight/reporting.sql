-- What a reporting tool may read: views of the schema `reporting`, by a login that is a member of `bursar_reader`, which
-- reads nothing else. The views are the owner's, whom row-level security does not bind: they show all organizations. They
-- name no person: organizations have their name, agents theirs where it is public, and all else is an id. Days are UTC.
-- Amounts are decimals, each in its asset.
CREATE SCHEMA reporting;
-- It has no login, so nobody can change it by itself. `runtime/roles.py` makes the login.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'bursar_reader') THEN
        CREATE ROLE bursar_reader NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

-- The assets whose minor unit is not a hundredth.
CREATE VIEW reporting.units AS
SELECT string_to_table('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF SLOT', ' ') AS asset, 1.0 AS unit
UNION ALL SELECT string_to_table('BHD IQD JOD KWD LYD OMR TND', ' '), 0.001
UNION ALL SELECT string_to_table('CREDIT USDC', ' '), 0.000001
UNION ALL SELECT 'BTC', 0.00000001
UNION ALL SELECT string_to_table('ETH TON', ' '), 0.000000001;

CREATE VIEW reporting.organizations AS
SELECT id AS org_id, name AS organization, tier, status, (created_at AT TIME ZONE 'UTC')::date AS day
FROM public.organizations;

CREATE VIEW reporting.agents AS
SELECT id AS agent_id, CASE WHEN visibility = 'public' THEN name ELSE id END AS agent, org_id, category
FROM public.agents;

-- Credits used and not refunded, on the day of the use, as `repositories/credits/spend_day.py` adds it up: days that
-- are added up from their sums, with what is open of them and was refunded since; all others from their spends.
CREATE VIEW reporting.credits_used AS
WITH days AS (
    SELECT d.org_id, d.day, r.spends IS NOT NULL AS is_added_up, r.open_spends,
        -- Below the ids of all spends of the day.
        (lpad(to_hex(extract(epoch FROM d.day - 1)::bigint * 1000), 12, '0') || repeat('0', 20))::uuid AS first_id
    FROM ledger.credit_days d
    LEFT JOIN public.spend_rollups r ON r.org_id = d.org_id AND r.day = d.day AND r.spends = d.spends
    WHERE d.spends > 0
), parts AS (
    SELECT d.org_id, d.day, k.agent_id, k.department_id, k.action, k.model, k.spends, k.quantity, k.captured AS used
    FROM days d JOIN public.spend_days k ON k.org_id = d.org_id AND k.day = d.day WHERE d.is_added_up
    UNION ALL
    SELECT d.org_id, d.day, s.agent_id, s.department_id, s.action, left(s.metadata ->> 'model', 200), 1, s.quantity,
        s.captured - s.refunded
    FROM days d JOIN ledger.spends s ON s.org_id = d.org_id AND s.id >= d.first_id
        AND (s.at AT TIME ZONE 'UTC')::date = d.day
    WHERE NOT d.is_added_up
    UNION ALL
    SELECT d.org_id, d.day, s.agent_id, s.department_id, s.action, left(s.metadata ->> 'model', 200), 1, s.quantity,
        s.captured - s.refunded
    FROM days d JOIN ledger.spends s ON s.org_id = d.org_id AND s.id = ANY (d.open_spends) WHERE d.is_added_up
    UNION ALL
    SELECT d.org_id, d.day, s.agent_id, s.department_id, s.action, left(s.metadata ->> 'model', 200), 0, 0, -c.amount
    FROM ledger.spend_changes c JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
    JOIN days d ON d.org_id = s.org_id AND d.day = (s.at AT TIME ZONE 'UTC')::date
    WHERE c.kind = 'refund' AND d.is_added_up AND s.id <> ALL (d.open_spends)
)
SELECT p.day, p.org_id, o.organization, p.agent_id, coalesce(a.agent, 'none') AS agent, p.department_id,
    coalesce(p.action, 'none') AS action, coalesce(p.model, 'none') AS model, p.spends, p.quantity, p.used * 0.000001 AS used
FROM parts p JOIN reporting.organizations o USING (org_id) LEFT JOIN reporting.agents a USING (agent_id);

-- By the day on which they were begun.
CREATE VIEW reporting.payments AS
SELECT (p.created_at AT TIME ZONE 'UTC')::date AS day, p.org_id, o.organization, p.provider, p.purpose, p.status,
    p.currency, count(*) AS payments, sum(p.amount_minor) * coalesce(u.unit, 0.01) AS amount,
    sum(p.received_minor) * coalesce(u.unit, 0.01) AS received, sum(p.refunded_minor) * coalesce(u.unit, 0.01) AS refunded
FROM public.payments p JOIN reporting.organizations o USING (org_id) LEFT JOIN reporting.units u ON u.asset = p.currency
GROUP BY 1, 2, 3, 4, 5, 6, 7, u.unit;

-- The books by day and line of the chart of accounts, as `repositories/books/accounting.py` reads them: what is added
-- up, and the entries of what is not yet.
CREATE VIEW reporting.books AS
SELECT s.day, s.line, s.kind, s.asset, s.debits * coalesce(u.unit, 0.01) AS debits,
    s.credits * coalesce(u.unit, 0.01) AS credits
FROM (
    SELECT d.day, d.line, d.kind, d.asset, d.debits, d.credits FROM ledger.accounting_days d
    UNION ALL
    SELECT (e.effective_at AT TIME ZONE 'UTC')::date, ledger.chart_line(a.path), a.kind, e.asset,
        -sum(least(e.amount, 0)), sum(greatest(e.amount, 0))
    FROM ledger.accounting_place p JOIN ledger.entries e ON e.transfer_id > p.summed
    JOIN ledger.accounts a ON a.id = e.account_id
    GROUP BY 1, 2, 3, 4
) s LEFT JOIN reporting.units u ON u.asset = s.asset;

-- By the day on which they were opened, and how they stand now.
CREATE VIEW reporting.escrows AS
SELECT (e.created_at AT TIME ZONE 'UTC')::date AS day, e.org_id, o.organization, e.agent_id, a.agent, e.status,
    e.currency, count(*) AS escrows, sum(e.amount_minor) * coalesce(u.unit, 0.01) AS amount,
    sum(e.funded_minor) * coalesce(u.unit, 0.01) AS funded, sum(e.released_minor) * coalesce(u.unit, 0.01) AS released,
    sum(e.refunded_minor) * coalesce(u.unit, 0.01) AS refunded,
    sum(e.commission_minor) * coalesce(u.unit, 0.01) AS commission
FROM public.escrows e JOIN reporting.organizations o USING (org_id) JOIN reporting.agents a USING (agent_id)
LEFT JOIN reporting.units u ON u.asset = e.currency
GROUP BY 1, 2, 3, 4, 5, 6, 7, u.unit;

-- By the day on which they were begun, and how they stand now.
CREATE VIEW reporting.payouts AS
SELECT (p.created_at AT TIME ZONE 'UTC')::date AS day, p.org_id, o.organization, p.provider, p.status, p.currency,
    count(*) AS payouts, sum(p.amount_minor) * coalesce(u.unit, 0.01) AS amount
FROM public.payouts p JOIN reporting.organizations o USING (org_id) LEFT JOIN reporting.units u ON u.asset = p.currency
GROUP BY 1, 2, 3, 4, 5, 6, u.unit;

-- The stars of each agent, 0 to 5, at the end of each day, with the bounds of their interval.
CREATE VIEW reporting.reputation AS
SELECT h.day, h.agent_id, a.agent, a.category, h.stars_e6 * 0.000005 AS stars, h.low_e6 * 0.000005 AS low,
    h.high_e6 * 0.000005 AS high, h.evidence_count AS evidence
FROM public.reputation_history h JOIN reporting.agents a USING (agent_id);

-- Subscriptions as they stand now, by the day on which they began. `monthly` is what recurs of a month without tax, as in `mrr`.
CREATE VIEW reporting.subscriptions AS
SELECT (s.created_at AT TIME ZONE 'UTC')::date AS day, s.org_id, o.organization, s.plan, s.status,
    s.state -> 'terms' ->> 'interval' AS "interval", s.state -> 'terms' ->> 'currency' AS currency,
    coalesce(s.state -> 'recurring' ->> 'amount_minor', s.state -> 'terms' ->> 'amount_minor')::bigint
        * coalesce((
            SELECT b.amount_minor::numeric / b.gross_minor FROM public.subscription_bills b WHERE b.subscription_id = s.id
            ORDER BY b.period_end DESC, b.gross_minor DESC LIMIT 1
        ), 1) * coalesce(u.unit, 0.01)
        / CASE s.state -> 'terms' ->> 'interval' WHEN 'year' THEN 12 ELSE 1 END AS monthly
FROM public.subscriptions s JOIN reporting.organizations o USING (org_id)
LEFT JOIN reporting.units u ON u.asset = s.state -> 'terms' ->> 'currency';

GRANT USAGE ON SCHEMA reporting TO bursar_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO bursar_reader;
-- PostgreSQL calls a view's functions as whoever reads it. This one reads nothing.
GRANT EXECUTE ON FUNCTION ledger.chart_line TO bursar_reader;

-- PostgreSQL lets every login make temporary tables and large objects, and hold locks that Bursar's processes wait for.
-- A managed server's owner cannot take back what is not its own; PostgreSQL then warns, and goes on.
DO $$
DECLARE
    each record;
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    FOR each IN
        SELECT p.oid::regprocedure AS name, p.proname ~ 'advisory' AS is_lock
        FROM pg_catalog.pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND a.grantee = 0
            AND p.proname ~ '^(lo_|lowrite$|loread$|pg_(try_)?advisory_)'
    LOOP
        IF each.is_lock THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO bursar_api, bursar_platform', each.name);
        END IF;
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', each.name);
    END LOOP;
END
$$;
