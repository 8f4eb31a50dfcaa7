-- What events add up to. An event belongs to the time at which it happened, whenever it was written.

-- The minor units of an amount as events write it.
CREATE OR REPLACE FUNCTION metric_minor(p_data jsonb, p_field text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((p_data ->> p_field)::numeric * power(10::numeric, asset_decimals(p_data ->> 'currency')))::bigint;

-- What recurs of a subscription in a month, without tax, in minor units, by the data of its event.
CREATE OR REPLACE FUNCTION metric_monthly(p_data jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_data ->> 'status' IN ('active', 'past_due')
    THEN round(metric_minor(p_data, 'recurring_net')::numeric
        / CASE p_data ->> 'interval' WHEN 'year' THEN 12 ELSE 1 END)
    ELSE 0 END::bigint;

-- What the events after a position up to another one add up to; NULL for all that are visible. Reads as its caller.
CREATE OR REPLACE FUNCTION metric_facts(p_in bigint, p_id text, p_until_in bigint, p_until_id text)
RETURNS TABLE (at timestamptz, org_id text, measure text, asset text, labels jsonb, value bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH e AS MATERIALIZED (
        SELECT v.*, NOT EXISTS (
            SELECT FROM events f
            WHERE f.subject = v.subject AND f.org_id = v.org_id AND f.type = v.type AND f.subject_seq < v.subject_seq
        ) AS is_first, NOT EXISTS (
            SELECT FROM events f
            WHERE f.subject = v.subject AND f.org_id = v.org_id AND f.subject_seq < v.subject_seq
        ) AS is_begin
        FROM events v
        WHERE (v.written_in, v.id) > (p_in, p_id)
            AND (p_until_in IS NULL OR (v.written_in, v.id) <= (p_until_in, p_until_id))
    ), payment AS (
        SELECT e.*, e.data ->> 'currency' AS currency, jsonb_build_object(
            'provider', p.provider,
            'method', CASE
                WHEN (p.state -> 'terms' ->> 'off_session')::boolean THEN 'automatic'
                WHEN (p.state -> 'terms' ->> 'hosted')::boolean THEN 'checkout'
                ELSE 'direct'
            END
        ) AS labels
        FROM e JOIN payments p ON p.id = e.subject
        WHERE e.type LIKE 'payment.%' AND e.is_first
    ), escrow AS (
        SELECT e.*, e.data ->> 'currency' AS currency,
            jsonb_build_object('agent', e.data ->> 'agent_id', 'role', e.data ->> 'role') AS labels
        FROM e WHERE e.type LIKE 'escrow.%' AND e.is_first AND e.data ->> 'role' IN ('payer', 'payee')
    ), subscription AS (
        SELECT e.at, e.org_id, e.data, b.data AS before
        FROM e CROSS JOIN LATERAL (
            SELECT (array_agg(f.data ORDER BY f.subject_seq DESC))[1] AS data
            FROM events f
            WHERE f.subject = e.subject AND f.org_id = e.org_id AND f.subject_seq < e.subject_seq
        ) b
        WHERE e.type LIKE 'subscription.%'
    )
    SELECT e.at, e.org_id, 'events', '', jsonb_build_object('feature', split_part(e.type, '.', 1)), 1::bigint FROM e
    UNION ALL
    SELECT p.at, p.org_id, m.measure, m.asset, jsonb_strip_nulls(p.labels || m.more), m.value
    FROM payment p CROSS JOIN LATERAL (VALUES
        -- A payment that the provider made, such as a subscription's, begins with a later state.
        (CASE WHEN p.is_begin THEN p.type END, 'payments.started', '', '{}'::jsonb, 1::bigint),
        ('payment.succeeded', 'payments.succeeded', '', '{}', 1),
        ('payment.succeeded', 'payments.received', p.currency, '{}', metric_minor(p.data, 'received_amount')),
        ('payment.failed', 'payments.failed', '', jsonb_build_object('reason', p.data ->> 'decline_code'), 1),
        ('payment.failed', 'payments.declined', p.currency, jsonb_build_object('reason', p.data ->> 'decline_code'),
            metric_minor(p.data, 'amount'))
    ) AS m (type, measure, asset, more, value)
    WHERE m.type = p.type
    UNION ALL
    SELECT e.at, e.org_id, 'payments.refunded', e.data ->> 'currency', '{}', metric_minor(e.data, 'amount')
    FROM e WHERE e.type = 'refund.succeeded' AND e.is_first
    UNION ALL
    SELECT e.at, e.org_id, 'payouts.paid', e.data ->> 'currency', '{}', metric_minor(e.data, 'amount')
    FROM e WHERE e.type = 'payout.paid' AND e.is_first
    UNION ALL
    SELECT s.at, s.org_id, m.measure, m.asset, s.labels, m.value
    FROM escrow s
    LEFT JOIN LATERAL (
        SELECT f.at FROM events f
        WHERE f.subject = s.subject AND f.org_id = s.org_id AND f.type = 'escrow.funded' AND f.subject_seq < s.subject_seq
        ORDER BY f.subject_seq LIMIT 1
    ) funded ON true
    CROSS JOIN LATERAL (VALUES
        ('escrow.opened', 'escrows.opened', '', 1::bigint),
        ('escrow.funded', 'escrows.funded', '', 1),
        ('escrow.disputed', 'escrows.disputed', '', 1),
        ('escrow.released', 'escrows.released', '', 1),
        ('escrow.refunded', 'escrows.refunded', '', 1),
        ('escrow.split', 'escrows.split', '', 1),
        ('escrow.cancelled', 'escrows.cancelled', '', 1),
        ('escrow.expired', 'escrows.expired', '', 1),
        -- How many ended that had been funded, for how long they had been, and how many by nobody's answer.
        (CASE WHEN s.type IN ('escrow.released', 'escrow.refunded', 'escrow.split', 'escrow.cancelled', 'escrow.expired')
            AND funded.at IS NOT NULL THEN s.type END, 'escrows.ended', '', 1),
        (CASE WHEN s.type IN ('escrow.released', 'escrow.refunded', 'escrow.split', 'escrow.cancelled', 'escrow.expired')
            AND funded.at IS NOT NULL THEN s.type END, 'escrows.seconds', '',
            extract(epoch FROM s.at - funded.at)::bigint),
        (CASE WHEN s.type = 'escrow.released' AND EXISTS (
            SELECT FROM escrow_events x
            WHERE x.escrow_id = s.subject AND x.kind = 'review_expired' AND x.status = 'released'
        ) THEN s.type END, 'escrows.silent', '', 1)
    ) AS m (type, measure, asset, value)
    WHERE m.type = s.type
    UNION ALL
    SELECT s.at, s.org_id, m.measure, m.asset, jsonb_build_object('plan', m.plan), m.value
    FROM subscription s CROSS JOIN LATERAL (
        SELECT metric_monthly(s.data) AS after, coalesce(metric_monthly(s.before), 0) AS before,
            s.before ->> 'currency' IS DISTINCT FROM s.data ->> 'currency' AS is_other,
            (metric_monthly(s.data), s.data ->> 'currency', s.data ->> 'plan') IS DISTINCT FROM
                (coalesce(metric_monthly(s.before), 0), s.before ->> 'currency', s.before ->> 'plan') AS is_moved
    ) v CROSS JOIN LATERAL (VALUES
        (CASE WHEN v.before = 0 OR v.is_other THEN 'mrr.new' END, s.data ->> 'currency', s.data ->> 'plan', v.after),
        (CASE WHEN v.after = 0 OR v.is_other THEN 'mrr.churn' END, s.before ->> 'currency', s.before ->> 'plan',
            v.before),
        (CASE WHEN v.before > 0 AND v.after > v.before AND NOT v.is_other THEN 'mrr.expansion' END,
            s.data ->> 'currency', s.data ->> 'plan', v.after - v.before),
        (CASE WHEN v.after > 0 AND v.after < v.before AND NOT v.is_other THEN 'mrr.contraction' END,
            s.data ->> 'currency', s.data ->> 'plan', v.before - v.after),
        -- What stands by plan: all of the old goes out, and all of the new comes in.
        (CASE WHEN v.is_moved THEN 'mrr.in' END, s.data ->> 'currency', s.data ->> 'plan', v.after),
        (CASE WHEN v.is_moved THEN 'mrr.out' END, s.before ->> 'currency', s.before ->> 'plan', v.before)
    ) AS m (measure, asset, plan, value)
    WHERE m.measure IS NOT NULL AND m.value > 0
$$;

-- Adds up the next p_limit events, and answers how many there were: fewer than p_limit when none is left. What commits
-- late is not skipped, because only events of transactions below the oldest open one are read. The place and the sums
-- commit together.
CREATE OR REPLACE FUNCTION add_up_metrics(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    place metric_place;
    until_in bigint;
    until_id text;
    number integer;
BEGIN
    SELECT * INTO STRICT place FROM metric_place FOR UPDATE;
    SELECT (array_agg(n.written_in ORDER BY n.written_in DESC, n.id DESC))[1],
        (array_agg(n.id ORDER BY n.written_in DESC, n.id DESC))[1], count(*)
    INTO until_in, until_id, number FROM (
        SELECT e.written_in, e.id FROM events e
        WHERE (e.written_in, e.id) > (place.written_in, place.event_id)
            AND e.written_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        ORDER BY e.written_in, e.id LIMIT p_limit
    ) n;
    IF number > 0 THEN
        INSERT INTO metric_sums AS m (org_id, measure, seconds, starts_at, asset, labels, value)
        SELECT f.org_id, f.measure, s.seconds, date_bin(make_interval(secs => s.seconds), f.at, 'epoch'), f.asset, f.labels,
            sum(f.value)
        FROM metric_facts(place.written_in, place.event_id, until_in, until_id) f
        CROSS JOIN (VALUES (900), (86400)) AS s (seconds)
        GROUP BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (org_id, measure, seconds, starts_at, asset, labels)
        DO UPDATE SET value = m.value + excluded.value;
        UPDATE metric_place SET written_in = until_in, event_id = until_id;
    END IF;
    RETURN number;
END
$$;

-- Notes who was active on the days (UTC) that ended an hour ago and are not noted yet: no entry of the audit log is
-- written for an earlier time. Reads at most a month of days.
CREATE OR REPLACE FUNCTION note_active_people(p_now timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    first date;
    before date := ((p_now - interval '1 hour') AT TIME ZONE 'UTC')::date;
    number integer;
BEGIN
    SELECT people_before INTO STRICT first FROM metric_place FOR UPDATE;
    IF first = '1970-01-01' THEN
        first := coalesce((SELECT (min(l.at) AT TIME ZONE 'UTC')::date FROM audit_log l), before);
    END IF;
    before := least(before, first + 31);
    IF before <= first THEN
        RETURN 0;
    END IF;
    INSERT INTO active_people (day, org_id, principal)
    SELECT DISTINCT timezone('UTC', l.at)::date, l.org_id, l.principal FROM audit_log l
    WHERE timezone('UTC', l.at) >= first AND timezone('UTC', l.at) < before
        AND l.org_id IS NOT NULL AND l.actor_org_id = l.org_id AND l.role <> 'agent'
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS number = ROW_COUNT;
    UPDATE metric_place SET people_before = before;
    RETURN number;
END
$$;
GRANT EXECUTE ON FUNCTION metric_minor, metric_monthly, metric_facts TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION add_up_metrics, note_active_people TO bursar_platform;
