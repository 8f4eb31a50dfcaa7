-- Amounts of purchase orders in spend controls: external purchases, in any asset, move no credits. They are held from
-- the approval on, spent when paid, and released when not paid or refunded. The row of the organization's credits is
-- the mutex, as for spends.

-- Counts a purchase as held, or as forced if it has already happened, or refuses it and stores the refusal. The order
-- and the number are its key: a counted purchase is returned again, a refused one is decided again but keeps its first
-- refusal. `p_granted`: approved by a person, so it draws a reserve without an allowance. `p_lifted` are the windows
-- that do not refuse it, as `control/window`. In credits it counts those that would pay for it now, times p_margin,
-- because other ones may pay it later. BU002: the number was used for another amount.
CREATE OR REPLACE FUNCTION ledger.count_purchase(
    p_org text, p_order text, p_number integer, p_asset text, p_amount bigint, p_agent text, p_department text,
    p_project text, p_key_id text, p_principal text, p_pool text, p_on_limit text, p_granted boolean,
    p_lifted text[], p_forced boolean, p_at timestamptz, p_margin numeric DEFAULT 1
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := concat('purchase:', p_order, ':', p_number);
    known ledger.purchase_counts;
    windows ledger.limit_window[];
    refused ledger.limit_window;
    fitted record;
    answer ledger.spend_answer;
BEGIN
    IF (p_amount > 0 AND p_number >= 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'a purchase has a positive amount and a number' USING ERRCODE = 'BU004';
    END IF;
    answer.available := ledger.lock_credits(ledger.credits_of(p_org), p_at);
    answer.amount := p_amount;
    answer.at := p_at;
    answer.replayed := false;
    SELECT * INTO known FROM ledger.purchase_counts c WHERE c.order_id = p_order AND c.number = p_number;
    IF FOUND THEN
        IF (known.org_id, known.amount, known.asset, known.forced) <> (p_org, p_amount, p_asset, p_forced) THEN
            RAISE EXCEPTION 'number % of % stands for another purchase', p_number, p_order USING ERRCODE = 'BU002';
        END IF;
        answer.status := 'reserved';
        answer.spend_id := known.id;
        answer.pool := known.pool;
        answer.at := known.at;
        answer.replayed := true;
        RETURN answer;
    END IF;
    IF NOT p_forced THEN
        answer.status := ledger.stopped(p_org);
        IF answer.status IS NOT NULL THEN
            RETURN answer;
        END IF;
    END IF;
    SELECT f.* INTO fitted FROM ledger.fit(
        p_org, p_agent, p_department, p_project, NULL, p_key_id, p_amount, p_asset, p_at, p_forced, p_pool, p_on_limit,
        p_granted, p_lifted, CASE WHEN p_asset <> 'CREDIT' THEN coalesce(
            ceil(p_margin * (ledger.price_cost(p_org, p_amount, p_asset, NULL, p_at, p_forced)).credits),
            CASE WHEN p_forced THEN 0 END
        )::bigint END, NULL, true
    ) f;
    refused := fitted.refused;
    answer.pool := coalesce(fitted.pool, p_pool);
    IF fitted.pool IS NULL THEN
        answer.status := 'pool_closed';
        RETURN answer;
    ELSIF refused.reason IS NOT NULL THEN
        answer := ledger.refused_by(answer, refused);
        IF NOT EXISTS (SELECT FROM ledger.refusals r WHERE r.idempotency_key = key) THEN
            PERFORM ledger.refuse_spend(
                answer, p_org, key, ledger.spend_hash('purchase', p_order, p_number, p_amount, p_agent, p_department,
                    p_project, NULL),
                refused.starts_at, p_agent, p_department, p_project, NULL, p_key_id, p_principal, 'purchase_order', p_asset
            );
        END IF;
        RETURN answer;
    END IF;
    windows := ledger.open_counters(p_org, fitted.windows);
    UPDATE ledger.counters n SET
        held = n.held + CASE WHEN p_forced THEN 0 ELSE u.counts END,
        forced = n.forced + CASE WHEN p_forced THEN u.counts ELSE 0 END,
        uses_spent = n.uses_spent + 1
    FROM unnest(windows) u WHERE n.id = u.counter_id;
    INSERT INTO ledger.purchase_counts (
        order_id, number, org_id, agent_id, department_id, project_id, key_id, principal, asset, amount, pool, forced,
        spent, counted_in, counted, at, changed_at
    )
    SELECT p_order, p_number, p_org, p_agent, p_department, p_project, p_key_id, p_principal, p_asset, p_amount, fitted.pool,
        p_forced, CASE WHEN p_forced THEN p_amount ELSE 0 END,
        coalesce(array_agg(u.counter_id) FILTER (WHERE u.counter_id IS NOT NULL), '{}'),
        coalesce(array_agg(u.counts) FILTER (WHERE u.counter_id IS NOT NULL), '{}'), p_at, p_at
    FROM unnest(windows) u
    RETURNING id INTO answer.spend_id;
    answer.status := 'reserved';
    RETURN answer;
END
$$;

-- The refunded part of a purchase's amount in a counter; all of it if everything spent was refunded.
CREATE OR REPLACE FUNCTION ledger.purchase_returns(p_counted bigint, p_amount bigint, p_spent bigint, p_refunded bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_refunded = p_spent THEN ledger.share_up(p_counted, p_spent, p_amount)
    ELSE ledger.share_down(p_counted, p_refunded, p_amount) END;

-- Moves a purchase's counted amount from held to spent, out of held and back from spent, to its paid, unpaid and
-- refunded totals. An unpaid purchase does not count as a use. BU010: the organization has no such purchase. BU004: a
-- total is less than before, or more than possible.
CREATE OR REPLACE FUNCTION ledger.count_purchase_moved(
    p_org text, p_order text, p_number integer, p_spent bigint, p_returned bigint, p_refunded bigint, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was ledger.purchase_counts;
BEGIN
    PERFORM ledger.lock_balances(ARRAY[ledger.credits_of(p_org)]);
    SELECT * INTO was FROM ledger.purchase_counts c
    WHERE c.order_id = p_order AND c.number = p_number AND c.org_id = p_org;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no purchase % of %', p_number, p_order USING ERRCODE = 'BU010';
    ELSIF (p_spent >= was.spent AND p_returned >= was.returned AND p_refunded >= was.refunded
        AND p_spent + p_returned <= was.amount AND p_refunded <= p_spent) IS NOT TRUE THEN
        RAISE EXCEPTION 'of purchase % of % cannot be % spent, % returned, % refunded', p_number, p_order, p_spent,
            p_returned, p_refunded USING ERRCODE = 'BU004';
    END IF;
    UPDATE ledger.counters n SET
        held = n.held + CASE WHEN was.forced THEN 0
            ELSE ledger.escrow_holds(u.counted, was.amount, p_spent, p_returned)
                - ledger.escrow_holds(u.counted, was.amount, was.spent, was.returned) END,
        spent = n.spent + ledger.share_up(u.counted, p_spent, was.amount)
            - ledger.share_up(u.counted, was.spent, was.amount),
        refunded = n.refunded + ledger.purchase_returns(u.counted, was.amount, p_spent, p_refunded)
            - ledger.purchase_returns(u.counted, was.amount, was.spent, was.refunded),
        uses_spent = n.uses_spent - CASE WHEN p_returned = was.amount AND was.returned < was.amount THEN 1 ELSE 0 END
    FROM unnest(was.counted_in, was.counted) AS u (id, counted) WHERE n.id = u.id;
    UPDATE ledger.purchase_counts c SET spent = p_spent, returned = p_returned, refunded = p_refunded, changed_at = p_at
    WHERE c.order_id = p_order AND c.number = p_number;
END
$$;

-- The configured amount of a pool in a window of a budget: a window without pools has an operating pool only.
CREATE OR REPLACE FUNCTION ledger.pool_size(c ledger.controls, p_window text, p_pool text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_pool = 'operating' THEN c.amounts[array_position(c.windows, p_window)]
        - CASE WHEN p_window = c.pools_of THEN coalesce(c.reserve, 0) + coalesce(c.emergency, 0) ELSE 0 END
    WHEN p_window IS DISTINCT FROM c.pools_of THEN 0
    WHEN p_pool = 'reserve' THEN coalesce(c.reserve, 0) ELSE coalesce(c.emergency, 0) END;

-- The counter of a pool in the present window of a budget, created if missing.
CREATE OR REPLACE FUNCTION ledger.open_pool(c ledger.controls, p_window text, p_pool text, p_at timestamptz)
RETURNS ledger.counters
LANGUAGE plpgsql
AS $$
DECLARE
    starts timestamptz := ledger.window_start(p_window, p_at, c.zone, c.week_starts);
    size bigint := ledger.pool_size(c, p_window, p_pool);
    counter ledger.counters;
BEGIN
    SELECT * INTO counter FROM ledger.counters n
    WHERE n.control_id = c.id AND n."window" = p_window AND n.pool = p_pool AND n.starts_at = starts;
    IF NOT FOUND THEN
        INSERT INTO ledger.counters (org_id, control_id, "window", starts_at, ends_at, pool, amount, uses, carried)
        VALUES (c.org_id, c.id, p_window, starts, ledger.window_end(p_window, p_at, c.zone, c.week_starts), p_pool, size,
            CASE p_pool WHEN 'operating' THEN c.uses[array_position(c.windows, p_window)] END,
            CASE WHEN p_pool = 'operating' AND p_window = c.pools_of AND c.carry_over > 0
                THEN ledger.carried_into(c, starts, size) ELSE 0 END)
        RETURNING * INTO counter;
    END IF;
    RETURN counter;
END
$$;

-- Moves an amount between two pools of the present window of a budget, and stores the move.
CREATE OR REPLACE FUNCTION ledger.shift_pool(
    c ledger.controls, p_window text, p_from text, p_to text, p_amount bigint, p_by text, p_reason text, p_command text,
    p_at timestamptz
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    source bigint := (ledger.open_pool(c, p_window, p_from, p_at)).id;
    target bigint := (ledger.open_pool(c, p_window, p_to, p_at)).id;
BEGIN
    UPDATE ledger.counters n SET moved = n.moved + CASE WHEN n.id = source THEN -p_amount ELSE p_amount END
    WHERE n.id IN (source, target);
    INSERT INTO ledger.pool_moves (
        org_id, control_id, from_counter, to_counter, from_pool, to_pool, amount, moved_by, reason, command_id, at
    ) VALUES (c.org_id, c.id, source, target, p_from, p_to, p_amount, p_by, p_reason, p_command, p_at);
END
$$;

-- Rebalances the pools of the present windows after a change of a budget's amounts or pools, so that no pool is
-- negative or below its use, and all pools add up to the amount. An overdrawn pool takes from the reserve first, then
-- from the emergency pool. A window without pools keeps no earlier move.
CREATE OR REPLACE FUNCTION ledger.settle_pools(c ledger.controls, p_by text, p_command text, p_at timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    names CONSTANT text[] := ARRAY['operating', 'reserve', 'emergency'];
    w text;
    total bigint;
    part bigint;
    stated bigint[];
    moved bigint[];
    used bigint[];
    wanted bigint[];
BEGIN
    FOREACH w IN ARRAY c.windows LOOP
        SELECT array_agg(ledger.pool_size(c, w, p.name) ORDER BY p.place),
            array_agg(coalesce(n.moved, 0) ORDER BY p.place),
            array_agg(greatest(0, coalesce(n.held + n.spent + n.forced - n.refunded - n.carried, 0)) ORDER BY p.place)
        INTO stated, moved, used
        FROM unnest(names) WITH ORDINALITY p (name, place)
        LEFT JOIN ledger.counters n ON n.control_id = c.id AND n."window" = w AND n.pool = p.name
            AND n.starts_at = ledger.window_start(w, p_at, c.zone, c.week_starts);
        wanted := stated;
        IF w = c.pools_of THEN
            total := c.amounts[array_position(c.windows, w)];
            wanted[3] := least(total, greatest(used[3], least(stated[3] + moved[3], total - used[1] - used[2])));
            wanted[2] := least(
                total - wanted[3], greatest(used[2], least(stated[2] + moved[2], total - wanted[3] - used[1]))
            );
            wanted[1] := total - wanted[2] - wanted[3];
        END IF;
        FOR i IN 1..3 LOOP
            FOR j IN 1..3 LOOP
                part := least(stated[i] + moved[i] - wanted[i], wanted[j] - stated[j] - moved[j]);
                IF part > 0 THEN
                    PERFORM ledger.shift_pool(c, w, names[i], names[j], part, p_by, 'The budget was changed.',
                        concat_ws(':', p_command, w, i, j), p_at);
                    moved[i] := moved[i] - part;
                    moved[j] := moved[j] + part;
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
END
$$;

-- Moves an amount from one pool of a budget's present window to another; once per command. `outcome` is `moved`,
-- `replayed`, or why nothing was moved: `missing`, `closed`, `no_pools` (the budget lacks one of the two), `too_much`
-- with the pool's rest in `remaining`, `other_request`.
CREATE OR REPLACE FUNCTION ledger.move_pool(
    p_org text, p_control uuid, p_from text, p_to text, p_amount bigint, p_by text, p_reason text, p_command text,
    p_at timestamptz, OUT outcome text, OUT remaining bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known ledger.pool_moves;
    c ledger.controls;
    source ledger.counters;
BEGIN
    PERFORM ledger.lock_balances(ARRAY[ledger.credits_of(p_org)]);
    SELECT * INTO known FROM ledger.pool_moves m WHERE m.command_id = p_command;
    IF FOUND THEN
        outcome := CASE WHEN (known.org_id, known.control_id, known.from_pool, known.to_pool, known.amount, known.reason)
            = (p_org, p_control, p_from, p_to, p_amount, p_reason) THEN 'replayed' ELSE 'other_request' END;
        RETURN;
    END IF;
    SELECT * INTO c FROM ledger.controls o WHERE o.id = p_control AND o.org_id = p_org AND o.kind = 'budget';
    outcome := CASE WHEN c.id IS NULL THEN 'missing' WHEN c.status = 'closed' THEN 'closed'
        WHEN c.pools_of IS NULL OR c.reserve IS NULL AND 'reserve' IN (p_from, p_to)
            OR c.emergency IS NULL AND 'emergency' IN (p_from, p_to) THEN 'no_pools' END;
    IF outcome IS NOT NULL THEN
        RETURN;
    ELSIF (p_amount > 0 AND p_from <> p_to AND length(p_reason) > 0
        AND ARRAY[p_from, p_to] <@ ARRAY['operating', 'reserve', 'emergency']) IS NOT TRUE THEN
        RAISE EXCEPTION 'a move is of a positive amount from one pool to another, with a reason' USING ERRCODE = 'BU004';
    END IF;
    source := ledger.open_pool(c, c.pools_of, p_from, p_at);
    remaining := greatest(0, source.moved + source.carried - source.held - source.spent - source.forced + source.refunded
        + ledger.pool_size(c, c.pools_of, p_from));
    IF remaining < p_amount THEN
        outcome := 'too_much';
        RETURN;
    END IF;
    PERFORM ledger.shift_pool(c, c.pools_of, p_from, p_to, p_amount, p_by, p_reason, p_command, p_at);
    remaining := remaining - p_amount;
    outcome := 'moved';
END
$$;

REVOKE EXECUTE ON FUNCTION ledger.count_purchase, ledger.count_purchase_moved, ledger.purchase_returns, ledger.move_pool,
    ledger.pool_size, ledger.open_pool, ledger.shift_pool, ledger.settle_pools
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.count_purchase, ledger.count_purchase_moved, ledger.purchase_returns, ledger.move_pool
TO bursar_platform;
