-- An id below those of all spends made from a time in UTC on.
CREATE OR REPLACE FUNCTION spend_id_at(p_at timestamp) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM p_at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;
GRANT EXECUTE ON FUNCTION spend_id_at(timestamp) TO bursar_api;

-- The data of GET /series for a year of spending by days in UTC, in one round trip: the spent credits, as decimals, and
-- the number of uses, a text for each day. Days with a rollup are read from it, all others from their spends, as in
-- `repositories/credits/spend_day.py`. NULL if some spends have ids outside of their day, or if more than 10,000 spends
-- or refunds would be read, which that module does instead. Under row-level security: the tenant is set first.
CREATE OR REPLACE FUNCTION spend_series(p_org text, p_first date, p_until timestamptz, OUT used text[], OUT spends text[])
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    last date := (p_until - interval '1 microsecond') AT TIME ZONE 'UTC';
    most constant bigint := 10000;
BEGIN
    PERFORM set_config('bursar.org_id', p_org, true);
    WITH days AS MATERIALIZED (
        SELECT d.day, d.spends, r.captured, r.open_spends,
            r.org_id IS NOT NULL AND (d.day + 1)::timestamp AT TIME ZONE 'UTC' <= p_until AS is_added_up
        FROM ledger.credit_days d
        LEFT JOIN public.spend_rollups r ON r.org_id = d.org_id AND r.day = d.day AND r.spends = d.spends
        WHERE d.org_id = p_org AND d.spends > 0 AND d.day BETWEEN p_first AND last
    ), single AS MATERIALIZED (
        SELECT coalesce(sum(d.spends), 0) AS spends FROM days d WHERE NOT d.is_added_up
    ), found AS MATERIALIZED (
        -- Day by day (OFFSET 0): joined by the day of each, all spends of the organization would be read.
        SELECT d.day, s.at, s.used
        FROM days d CROSS JOIN LATERAL (
            SELECT s.at, s.captured - s.refunded AS used FROM ledger.spends s
            WHERE s.org_id = p_org AND (s.at AT TIME ZONE 'UTC')::date = d.day
                AND s.id >= spend_id_at(d.day - interval '1 hour') AND s.id <= spend_id_at(d.day + interval '25 hours')
            OFFSET 0
        ) s
        WHERE NOT d.is_added_up AND (SELECT n.spends <= most FROM single n)
    ), refunds AS MATERIALIZED (
        SELECT c.spend_id, c.amount FROM ledger.spend_changes c
        WHERE c.kind = 'refund' AND c.org_id = p_org AND c.id >= spend_id_at(p_first - interval '1 hour')
        LIMIT most + 1
    ), parts AS (
        SELECT d.day, d.spends, d.captured AS used FROM days d WHERE d.is_added_up
        UNION ALL
        SELECT f.day, 1, f.used FROM found f WHERE f.at < p_until
        UNION ALL
        SELECT d.day, 0, s.used
        FROM days d CROSS JOIN unnest(d.open_spends) AS o (id) CROSS JOIN LATERAL (
            SELECT s.captured - s.refunded AS used FROM ledger.spends s WHERE s.org_id = p_org AND s.id = o.id OFFSET 0
        ) s
        WHERE d.is_added_up
        UNION ALL
        SELECT d.day, 0, -c.amount
        FROM refunds c CROSS JOIN LATERAL (
            SELECT s.at FROM ledger.spends s WHERE s.org_id = p_org AND s.id = c.spend_id OFFSET 0
        ) s
            JOIN days d ON d.day = (s.at AT TIME ZONE 'UTC')::date AND d.is_added_up
                AND c.spend_id <> ALL (d.open_spends)
        UNION ALL
        SELECT (e.at AT TIME ZONE 'UTC')::date, 0, e.minor
        FROM spent_elsewhere(p_org, p_first::timestamp AT TIME ZONE 'UTC', p_until, false) e WHERE e.asset = 'CREDIT'
    ), sums AS (
        SELECT p.day, sum(p.spends) AS spends, sum(p.used) * 0.000001 AS used FROM parts p GROUP BY p.day
    )
    SELECT array_agg(coalesce(round(s.used, greatest(2, min_scale(s.used))), 0.00)::text ORDER BY g.day),
        array_agg(coalesce(s.spends, 0)::text ORDER BY g.day)
    INTO spend_series.used, spend_series.spends
    FROM generate_series(p_first::timestamp, last::timestamp, '1 day') AS g (day) LEFT JOIN sums s ON s.day = g.day::date
    WHERE (SELECT count(*) FROM found) = (SELECT n.spends FROM single n) AND (SELECT count(*) FROM refunds) <= most;
END $$;
GRANT EXECUTE ON FUNCTION spend_series(text, date, timestamptz) TO bursar_api;
