-- Many spends of one organization in one statement, with a result for each, as if they were charged one after the other
-- in the order given.

-- The attribution of an item as text: items of one spender count in the same windows.
CREATE OR REPLACE FUNCTION ledger.spender_of(p_item ledger.spend_item) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ROW((p_item).agent_id, (p_item).department_id, (p_item).project_id, (p_item).run_id, (p_item).key_id)::text;

-- The windows in which a set of items counts: one row for each spender and window, with the spender's total.
CREATE OR REPLACE FUNCTION ledger.limits_on_all(p_org text, p_items ledger.spend_item[], p_at timestamptz)
RETURNS SETOF ledger.spender_window
LANGUAGE sql STABLE
AS $$
    SELECT s.spender, s.amount, s.number, l
    FROM (
        SELECT ledger.spender_of(i) AS spender, min(i.agent_id) AS agent_id, min(i.department_id) AS department_id,
            min(i.project_id) AS project_id, min(i.run_id) AS run_id, min(i.key_id) AS key_id,
            sum(i.amount)::bigint AS amount, max(i.amount) AS most, count(*) AS number
        FROM unnest(p_items) i GROUP BY 1
    ) s, LATERAL ledger.limits_on(
        p_org, s.agent_id, s.department_id, s.project_id, s.run_id, s.key_id, s.most, p_at, false
    ) l
$$;

-- Charges items that fit together, each by its own transfer. The work of `ledger.post_batch` for each leg is done for
-- all at once, because one account pays all and one receives it.
CREATE OR REPLACE FUNCTION ledger.charge_all(
    p_org text, p_items ledger.spend_item[], p_windows ledger.spender_window[], p_credits bigint, p_redemption bigint,
    p_free bigint, p_at timestamptz
) RETURNS SETOF ledger.spend_answer
LANGUAGE plpgsql
AS $$
DECLARE
    total bigint;
    size bigint;
    lot record;
    covered bigint := 0;
    lot_ids uuid[] := '{}';
    lot_starts bigint[] := '{}';
    paying ledger.balances;
    receiving ledger.balances;
BEGIN
    SELECT sum(i.amount), count(*) FILTER (WHERE i.amount > 0) INTO total, size FROM unnest(p_items) i;
    FOR lot IN
        SELECT l.id, l.remaining - l.held AS free FROM ledger.lots l
        WHERE l.account_id = p_credits AND l.is_open AND l.remaining > l.held
          AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
        ORDER BY l.priority, l.expires_at, l.paid > 0, l.id
    LOOP
        EXIT WHEN covered >= total;
        lot_ids := lot_ids || lot.id;
        lot_starts := lot_starts || covered;
        covered := covered + lot.free;
    END LOOP;
    IF covered < total THEN
        PERFORM ledger.refuse_funds(p_credits, total, p_org, p_at);
    END IF;
    UPDATE ledger.counters n SET spent = n.spent + t.amount, uses_spent = n.uses_spent + t.number
    FROM (
        SELECT (w.of_window).counter_id AS id, sum(w.amount)::bigint AS amount, sum(w.number)::bigint AS number
        FROM unnest(p_windows) w GROUP BY 1
    ) t
    WHERE n.id = t.id;
    UPDATE ledger.balances b SET posted = b.posted - total, version = b.version + size
    WHERE b.account_id = p_credits AND b.stripe = 0 RETURNING * INTO paying;
    -- Spends without a transfer are counted by the trigger.
    PERFORM ledger.count_day(p_org, p_at, total, size);
    UPDATE ledger.balances b SET posted = b.posted + total, version = b.version + size
    WHERE b.account_id = p_redemption AND b.stripe = ledger.stripe_of(p_redemption) RETURNING * INTO receiving;

    RETURN QUERY
    WITH items AS MATERIALIZED (
        -- Amounts, and the sums before and with each.
        SELECT i.*, ledger.spender_of(i) AS spender, n.id AS spend_id, CASE WHEN i.amount > 0 THEN n.id END AS transfer_id,
            sum(i.amount) OVER w - i.amount AS before, sum(i.amount) OVER w AS after,
            count(*) FILTER (WHERE i.amount > 0) OVER w AS number
        FROM unnest(p_items) i, LATERAL (SELECT uuidv7() AS id WHERE i.ord IS NOT NULL) n
        WINDOW w AS (ORDER BY i.ord ROWS UNBOUNDED PRECEDING)
    ), slices AS MATERIALIZED (
        SELECT s.transfer_id, s.lot_id, s.until - s.since AS amount,
            greatest(s.costed, s.costs_after) - CASE WHEN s.since = s.start THEN s.costed
                ELSE greatest(s.costed, s.costs_before) END AS cost
        FROM (
            SELECT i.transfer_id, l.id AS lot_id, l.costed, n.start, e.since, e.until,
                ledger.slice_cost(l.paid, 0, l.amount, (l.amount - l.remaining + e.until - n.start)::bigint) AS costs_after,
                ledger.slice_cost(l.paid, 0, l.amount, (l.amount - l.remaining + e.since - n.start)::bigint) AS costs_before
            FROM unnest(lot_ids, lot_starts) AS n (id, start)
            JOIN ledger.lots l ON l.id = n.id
            JOIN items i ON i.amount > 0 AND i.before < n.start + l.remaining - l.held AND n.start < i.after,
            LATERAL (
                SELECT greatest(i.before, n.start) AS since, least(i.after, n.start + l.remaining - l.held) AS until
            ) e
        ) s
    ), transfers AS (
        INSERT INTO ledger.transfers (id, idempotency_key, request_hash, kind, org_id, effective_at)
        SELECT i.transfer_id, i.full_key, i.request_hash, 'use', p_org, p_at FROM items i WHERE i.amount > 0
    ), uses AS (
        INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome)
        SELECT s.transfer_id, 1, s.lot_id, s.amount, s.cost, 'used' FROM slices s
    ), lots AS (
        UPDATE ledger.lots l
        SET remaining = l.remaining - t.amount, costed = l.costed + t.cost, is_open = l.remaining > t.amount
        FROM (
            SELECT s.lot_id, sum(s.amount)::bigint AS amount, sum(s.cost)::bigint AS cost FROM slices s GROUP BY 1
        ) t
        WHERE l.id = t.lot_id
    ), entries AS (
        INSERT INTO ledger.entries
            (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
        SELECT p_credits, paying.version - size + i.number, -i.amount, paying.posted + total - i.after, p_at,
            i.transfer_id, 0, 'CREDIT', p_org
        FROM items i WHERE i.amount > 0
        UNION ALL
        SELECT p_redemption, receiving.version - size + i.number, i.amount, receiving.posted - total + i.after, p_at,
            i.transfer_id, receiving.stripe, 'CREDIT', NULL
        FROM items i WHERE i.amount > 0
    ), places AS MATERIALIZED (
        SELECT w.spender, array_agg((w.of_window).counter_id) AS counted_in, bool_or(c.kind = 'budget') AS budgeted
        FROM unnest(p_windows) w JOIN ledger.controls c ON c.id = (w.of_window).control_id
        WHERE (w.of_window).counter_id IS NOT NULL GROUP BY w.spender
    ), written AS (
        INSERT INTO ledger.spends (
            id, org_id, idempotency_key, request_hash, status, agent_id, department_id, project_id, run_id, key_id,
            principal, action, quantity, asset, amount, available, transfer_id, captured, counted_in, counted, at,
            metadata
        )
        SELECT i.spend_id, p_org, i.full_key, i.request_hash, 'charged', i.agent_id, i.department_id, i.project_id,
            i.run_id, i.key_id, i.principal, i.action, i.quantity, 'CREDIT', i.amount, p_free - i.after, i.transfer_id,
            i.amount, coalesce(p.counted_in, '{}'),
            array_fill(i.amount, ARRAY[coalesce(cardinality(p.counted_in), 0)]), p_at, i.metadata
        FROM items i LEFT JOIN places p ON p.spender = i.spender
    )
    SELECT 'charged'::text, i.spend_id, i.amount, (p_free - i.after)::bigint, p_at, NULL::timestamptz, NULL::text,
        NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::timestamptz, false,
        'operating'::text, coalesce(p.budgeted, false)
    FROM items i LEFT JOIN places p ON p.spender = i.spender ORDER BY i.ord;
END
$$;

-- The items with the credits of their costs, as if they were charged one after the other from the next lots. NULL in
-- special cases: the lots do not suffice, or one of them was not paid for in the currency of the cost.
CREATE OR REPLACE FUNCTION ledger.price_items(p_items ledger.spend_item[], p_credits bigint, p_at timestamptz)
RETURNS ledger.spend_item[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    lots refcursor;
    lot record;
    free bigint := 0;
    missing numeric;
    needed numeric;
    part bigint;
BEGIN
    OPEN lots FOR
        SELECT l.amount, l.paid, l.paid_asset, l.remaining - l.held AS free FROM ledger.lots l
        WHERE l.account_id = p_credits AND l.is_open AND l.remaining > l.held
          AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
        ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    FOR n IN 1..cardinality(p_items) LOOP
        missing := coalesce(p_items[n].cost, p_items[n].amount);
        IF p_items[n].cost IS NOT NULL AND p_items[n].amount > 0 THEN
            RETURN NULL;
        END IF;
        WHILE missing > 0 LOOP
            IF free = 0 THEN
                FETCH lots INTO lot;
                IF NOT FOUND THEN
                    RETURN NULL;
                END IF;
                free := lot.free;
            END IF;
            IF p_items[n].cost IS NULL THEN
                part := least(missing, free);
                missing := missing - part;
            ELSIF lot.paid = 0 OR lot.paid_asset <> p_items[n].cost_in THEN
                RETURN NULL;
            ELSE
                needed := missing * lot.amount;
                needed := div(needed, lot.paid) + CASE WHEN mod(needed, lot.paid) > 0 THEN 1 ELSE 0 END;
                part := least(needed, free);
                missing := CASE WHEN needed <= free THEN 0 ELSE missing - trunc(free * lot.paid::numeric / lot.amount, 18) END;
                p_items[n].amount := p_items[n].amount + part;
            END IF;
            free := free - part;
        END LOOP;
    END LOOP;
    RETURN p_items;
END
$$;

-- Charges items with new keys: together if all of them fit, otherwise each half separately.
CREATE OR REPLACE FUNCTION ledger.charge_set(
    p_org text, p_items ledger.spend_item[], p_credits bigint, p_redemption bigint, p_at timestamptz
) RETURNS SETOF ledger.spend_answer
LANGUAGE plpgsql
AS $$
DECLARE
    size integer := cardinality(p_items);
    i ledger.spend_item := p_items[1];
    items ledger.spend_item[];
    free bigint;
    windows ledger.spender_window[];
    opened ledger.limit_window[];
BEGIN
    IF size = 0 THEN
        RETURN;
    ELSIF size = 1 THEN
        RETURN NEXT ledger.spend('charge', p_org, i.key, i.action, i.quantity, i.amount, i.agent_id, i.department_id,
            i.project_id, i.run_id, i.key_id, i.principal, i.metadata, NULL, p_at, p_cost => i.cost,
            p_cost_in => i.cost_in, p_granted => i.granted);
        RETURN;
    END IF;
    free := ledger.lock_credits(p_credits, p_at);
    items := ledger.price_items(p_items, p_credits, p_at);
    windows := ARRAY(SELECT w FROM ledger.limits_on_all(p_org, items, p_at) w);
    -- Not if a control is in another asset, which rounds each amount separately.
    IF (SELECT sum(n.amount) FROM unnest(items) n) <= free AND NOT EXISTS (
        SELECT FROM unnest(windows) w GROUP BY (w.of_window).control_id, (w.of_window)."window"
        HAVING count((w.of_window).reason) > 0 OR min((w.of_window).asset) <> 'CREDIT'
            OR sum(w.amount) > min((w.of_window).room) OR sum(w.number) > min((w.of_window).uses_room)
    ) THEN
        opened := ARRAY(
            SELECT DISTINCT ON ((w.of_window).control_id, (w.of_window)."window") w.of_window FROM unnest(windows) w
            WHERE (w.of_window).counter_id IS NULL AND (w.of_window)."window" IS NOT NULL
        );
        IF opened <> '{}' THEN
            PERFORM ledger.open_counters(p_org, opened);
            windows := ARRAY(SELECT w FROM ledger.limits_on_all(p_org, items, p_at) w);
        END IF;
        RETURN QUERY SELECT * FROM ledger.charge_all(p_org, items, windows, p_credits, p_redemption, free, p_at);
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM ledger.charge_set(p_org, p_items[:size / 2], p_credits, p_redemption, p_at);
    RETURN QUERY SELECT * FROM ledger.charge_set(p_org, p_items[size / 2 + 1:], p_credits, p_redemption, p_at);
END
$$;

-- Charges many items and returns one row for each, in the order given. A key that was used for another request returns
-- `conflict`, without effect on other items.
CREATE OR REPLACE FUNCTION ledger.charge_many_at(
    p_org text, p_keys text[], p_actions text[], p_quantities bigint[], p_amounts bigint[], p_agents text[],
    p_departments text[], p_projects text[], p_runs text[], p_key_ids text[], p_principals text[], p_metadata jsonb[],
    p_at timestamptz, p_costs numeric[] DEFAULT NULL, p_costs_in text[] DEFAULT NULL, p_granted bigint[] DEFAULT NULL
) RETURNS SETOF ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    credits bigint;
    redemption bigint;
    free bigint;
    stopped text;
    items ledger.spend_item[];
    fresh ledger.spend_item[];
    answers ledger.spend_answer[];
    answer ledger.spend_answer;
    i ledger.spend_item;
    place integer := 1;
BEGIN
    SELECT array_agg(ROW(
        n.ord, n.key, concat('use:', p_org, ':', n.key),
        ledger.spend_hash(concat_ws(':', 'charge', trim_scale(n.cost), n.cost_in), n.action, n.quantity, n.amount,
            n.agent, n.department, n.project, n.run),
        n.action, n.quantity, n.amount, n.agent, n.department, n.project, n.run, n.key_id, n.principal, n.metadata,
        n.cost, n.cost_in, n.granted
    )::ledger.spend_item ORDER BY n.ord) INTO items
    FROM unnest(
        p_keys, p_actions, p_quantities, p_amounts, p_agents, p_departments, p_projects, p_runs, p_key_ids,
        p_principals, p_metadata, p_costs, p_costs_in, p_granted
    ) WITH ORDINALITY AS n (
        key, action, quantity, amount, agent, department, project, run, key_id, principal, metadata, cost, cost_in,
        granted, ord
    );
    PERFORM ledger.check_spend(p_org, n.key, n.action, n.quantity, n.amount, n.department_id, p_at)
    FROM unnest(items) n;
    IF cardinality(items) > 5000 THEN
        RAISE EXCEPTION 'a batch has at most 5000 spends' USING ERRCODE = 'BU004';
    END IF;
    credits := ledger.credits_of(p_org);
    redemption := ledger.redemption();
    free := ledger.lock_credits(credits, p_at);
    stopped := ledger.stopped(p_org);
    fresh := ARRAY(
        SELECT f FROM (SELECT DISTINCT ON (n.full_key) n AS f, n.ord FROM unnest(items) n ORDER BY n.full_key, n.ord) d
        WHERE NOT EXISTS (SELECT FROM ledger.spends s WHERE s.idempotency_key = (d.f).full_key)
          AND NOT EXISTS (SELECT FROM ledger.refusals r WHERE r.idempotency_key = (d.f).full_key)
        ORDER BY d.ord
    );
    IF stopped IS NULL THEN
        answers := ARRAY(SELECT a FROM ledger.charge_set(p_org, fresh, credits, redemption, p_at) a);
    ELSE
        answers := ARRAY(
            SELECT ROW(stopped, NULL, f.amount, free, p_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                false, NULL, NULL)::ledger.spend_answer
            FROM unnest(fresh) f
        );
    END IF;
    FOREACH i IN ARRAY coalesce(items, '{}') LOOP
        IF i.ord = fresh[place].ord THEN
            RETURN NEXT answers[place];
            place := place + 1;
        ELSE
            answer := ledger.spend_again(i.full_key, i.request_hash);
            -- Refusals after the first 1,000 are not stored, so their keys are decided again.
            IF answer.replayed IS NULL THEN
                answer := ledger.spend('charge', p_org, i.key, i.action, i.quantity, i.amount, i.agent_id,
                    i.department_id, i.project_id, i.run_id, i.key_id, i.principal, i.metadata, NULL, p_at,
                    p_cost => i.cost, p_cost_in => i.cost_in, p_granted => i.granted);
            ELSIF answer.status = 'conflict' THEN
                answer.amount := i.amount;
                answer.available := ledger.lock_credits(credits, p_at);
                answer.at := p_at;
            END IF;
            RETURN NEXT answer;
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION ledger.charge_many(
    p_keys text[], p_actions text[], p_quantities bigint[], p_amounts bigint[], p_agents text[], p_departments text[],
    p_projects text[], p_runs text[], p_key_ids text[], p_principals text[], p_metadata jsonb[]
) RETURNS SETOF ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM ledger.charge_many_at(
        public.bursar_org(), p_keys, p_actions, p_quantities, p_amounts, p_agents, p_departments, p_projects, p_runs,
        p_key_ids, p_principals, p_metadata, clock_timestamp()
    );
END
$$;
