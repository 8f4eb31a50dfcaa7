-- The fast path of `ledger.spend` for a charge that fits, which is by far the most frequent case. All other cases are
-- left to `ledger.spend`.

-- Charges, or returns NULL without effect: if something may refuse, if the organization is stopped, if the key is
-- known, if a window begins, if one lot does not suffice or has expired, and if a control is in another asset, or is
-- below one that the spender does not name itself, or is below any and outside of its own term, because the controls
-- above still apply.
--
-- Most of its cost is PostgreSQL's start of statements, so there are few, and none opens more than three indexes:
-- beyond that its memory is released to the system and allocated again with every charge.
CREATE OR REPLACE FUNCTION ledger.charge_quickly(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text,
    p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb, p_at timestamptz,
    p_cost numeric DEFAULT NULL, p_cost_in text DEFAULT NULL
) RETURNS ledger.spend_answer
LANGUAGE plpgsql
AS $$
DECLARE
    key text := concat('use:', p_org, ':', p_key);
    hash bytea;
    departments text[];
    subjects text[];
    asked bigint := p_amount;
    whole record;
    credits bigint;
    redemption bigint;
    free bigint;
    fits boolean;
    budgeted boolean;
    controls uuid[];
    parents uuid[];
    counter_ids bigint[];
    paying uuid;
    cost bigint;
    transfer uuid;
    c_posted bigint;
    c_version bigint;
    r_posted bigint;
    r_version bigint;
    r_stripe smallint;
BEGIN
    IF ((p_amount > 0 AND p_cost IS NULL OR p_amount = 0 AND p_cost > 0) AND p_quantity > 0 AND length(p_key) BETWEEN 1 AND 255 AND length(p_action) BETWEEN 1 AND 255
        AND p_at IS NOT NULL) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    IF p_department IS NOT NULL THEN
        SELECT d.path INTO departments FROM public.departments d WHERE d.id = p_department AND d.org_id = p_org;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    subjects := array_remove(ARRAY[p_org, p_agent, p_key_id, p_project, p_run] || departments, NULL);
    SELECT c.id, r.id INTO credits, redemption FROM ledger.accounts c, ledger.accounts r
    WHERE c.path = 'org/' || p_org || '/credits' AND c.asset = 'CREDIT'
      AND r.path = 'platform/credit_redemption' AND r.asset = 'CREDIT';
    IF NOT pg_try_advisory_xact_lock(credits) THEN
        PERFORM ledger.wait_in_line(credits);
    END IF;
    -- The credits of a cost, at the price of the first lot, if it was paid for in that currency.
    IF p_cost IS NOT NULL THEN
        PERFORM FROM ledger.balances b WHERE b.account_id = credits AND b.stripe = 0 FOR NO KEY UPDATE;
        SELECT p_cost * o.amount AS needed, o.paid INTO whole FROM (
            SELECT l.amount, l.paid, l.paid_asset, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = credits AND l.is_open AND l.remaining > l.held
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id LIMIT 1
        ) o WHERE o.paid > 0 AND o.paid_asset = p_cost_in AND p_cost * o.amount <= o.free::numeric * o.paid;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        p_amount := div(whole.needed, whole.paid) + CASE WHEN mod(whole.needed, whole.paid) > 0 THEN 1 ELSE 0 END;
    END IF;
    -- The mutex and the balance in one. The amount is returned below if something does not fit.
    UPDATE ledger.balances b SET posted = b.posted - p_amount, version = b.version + 1
    WHERE b.account_id = credits AND b.stripe = 0 AND b.posted - b.pending_out - p_amount >= b.floor
    RETURNING b.posted, b.version, b.posted - b.pending_out - b.floor INTO c_posted, c_version, free;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    -- The rules of `ledger.limits_on`, as far as they need existing counters only.
    SELECT bool_and((
            c.status = 'active' AND c.asset = 'CREDIT' AND (c.per_spend < p_amount) IS NOT TRUE
            AND (c.starts_at > p_at) IS NOT TRUE AND (c.ends_at <= p_at) IS NOT TRUE
            AND (w."window" IS NULL OR n.ends_at > p_at AND (NOT w.hard
                OR (w.amount + n.moved + n.carried
                    - CASE WHEN w."window" = c.pools_of THEN coalesce(c.reserve, 0) + coalesce(c.emergency, 0) ELSE 0 END
                    < n.held + n.spent + n.forced - n.refunded + p_amount) IS NOT TRUE
                AND (c.kind = 'limit' OR w.amount + n.carried - p_amount >= (
                    SELECT sum(o.held + o.spent + o.forced - o.refunded) FROM ledger.counters o
                    WHERE o.control_id = c.id AND o."window" = w."window"
                      AND o.pool IN ('operating', 'reserve', 'emergency') AND o.starts_at = n.starts_at
                ))
                AND (w.uses <= n.uses_spent OR w.uses >= 0 AND c.kind = 'budget') IS NOT TRUE))
        ) IS TRUE),
        array_agg(c.id), array_agg(c.parent_id) FILTER (WHERE c.parent_id IS NOT NULL),
        array_agg(n.id) FILTER (WHERE n.id IS NOT NULL), coalesce(bool_or(c.kind = 'budget'), false)
    INTO fits, controls, parents, counter_ids, budgeted
    FROM ledger.controls c
    LEFT JOIN LATERAL unnest(c.windows, c.amounts, c.uses, c.hard) AS w ("window", amount, uses, hard) ON true
    LEFT JOIN LATERAL (
        SELECT o.id, o.starts_at, o.ends_at, o.held, o.spent, o.forced, o.refunded, o.uses_spent, o.moved, o.carried
        FROM ledger.counters o
        WHERE o.control_id = c.id AND o."window" = w."window" AND o.pool = 'operating' AND o.starts_at <= p_at
        ORDER BY o.starts_at DESC LIMIT 1
    ) n ON true
    WHERE c.org_id = p_org AND c.kind IN ('limit', 'budget') AND c.status <> 'closed' AND c.subject_id = ANY (subjects)
      AND CASE c.subject_kind
            WHEN 'organization' THEN c.subject_id = p_org
            WHEN 'agent' THEN c.subject_id = p_agent
            WHEN 'key' THEN c.subject_id = p_key_id
            WHEN 'project' THEN c.subject_id = p_project
            WHEN 'run' THEN c.subject_id = p_run
            WHEN 'department' THEN c.subject_id = ANY (departments)
        END
      AND (c.parent_id IS NOT NULL OR c.status = 'frozen'
        OR (c.starts_at IS NULL OR c.starts_at <= p_at) AND (c.ends_at IS NULL OR p_at < c.ends_at));
    fits := coalesce(fits, true) AND (parents IS NULL OR parents <@ controls);
    IF fits THEN
        PERFORM s.at FROM ledger.spends s WHERE s.idempotency_key = key
        UNION ALL SELECT r.at FROM ledger.refusals r WHERE r.idempotency_key = key
        UNION ALL SELECT o.status_at FROM public.organizations o WHERE o.id = p_org AND o.status <> 'active';
        fits := NOT FOUND;
    END IF;
    -- The first lot in the order of spending. An expired one is left to `ledger.spend`.
    IF fits THEN
        SELECT l.id, ledger.slice_cost(l.paid, l.costed, l.amount, l.amount - l.remaining + p_amount) INTO paying, cost
        FROM (
            SELECT o.id, o.paid, o.costed, o.amount, o.remaining, o.held FROM ledger.lots o
            WHERE o.account_id = credits AND o.is_open AND o.remaining > o.held
            ORDER BY o.priority, o.expires_at, o.paid > 0, o.id LIMIT 1
        ) l
        WHERE l.remaining - l.held >= p_amount AND NOT EXISTS (
            SELECT FROM ledger.lots d
            WHERE d.account_id = credits AND d.is_open AND d.lapses AND d.expires_at <= p_at
        );
    END IF;
    IF paying IS NULL THEN
        UPDATE ledger.balances b SET posted = b.posted + p_amount, version = b.version - 1
        WHERE b.account_id = credits AND b.stripe = 0;
        RETURN NULL;
    END IF;

    -- The spend has the id of its transfer.
    transfer := uuidv7();
    hash := ledger.spend_hash(concat_ws(':', 'charge', trim_scale(p_cost), p_cost_in), p_action, p_quantity, asked,
        p_agent, p_department, p_project, p_run);
    INSERT INTO ledger.transfers (id, idempotency_key, request_hash, kind, org_id, effective_at)
    VALUES (transfer, key, hash, 'use', p_org, p_at);
    INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome)
    VALUES (transfer, 1, paying, p_amount, cost, 'used');
    UPDATE ledger.lots l
    SET remaining = l.remaining - p_amount, costed = l.costed + cost, is_open = l.remaining > p_amount
    WHERE l.id = paying;
    IF counter_ids IS NOT NULL THEN
        UPDATE ledger.counters n SET spent = n.spent + p_amount, uses_spent = n.uses_spent + 1
        WHERE n.id = ANY (counter_ids);
    END IF;
    INSERT INTO ledger.spends (
        id, org_id, idempotency_key, request_hash, status, agent_id, department_id, project_id, run_id, key_id,
        principal, action, quantity, asset, amount, available, transfer_id, captured, counted_in, counted, at, metadata
    ) VALUES (
        transfer, p_org, key, hash, 'charged', p_agent, p_department, p_project, p_run, p_key_id, p_principal,
        p_action, p_quantity, 'CREDIT', p_amount, free, transfer, p_amount, coalesce(counter_ids, '{}'),
        array_fill(p_amount, ARRAY[coalesce(cardinality(counter_ids), 0)]), p_at, p_metadata
    );
    UPDATE ledger.credit_days d SET used = d.used + p_amount, spends = d.spends + 1
    WHERE d.org_id = p_org AND d.day = (p_at AT TIME ZONE 'UTC')::date;
    IF NOT FOUND THEN
        PERFORM ledger.count_day(p_org, p_at, p_amount, 1);
    END IF;
    UPDATE ledger.balances b SET posted = b.posted + p_amount, version = b.version + 1
    WHERE b.account_id = redemption AND b.stripe = ledger.stripe_of(redemption)
    RETURNING b.posted, b.version, b.stripe INTO r_posted, r_version, r_stripe;
    INSERT INTO ledger.entries
        (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
    VALUES
        (credits, c_version, -p_amount, c_posted, p_at, transfer, 0, 'CREDIT', p_org),
        (redemption, r_version, p_amount, r_posted, p_at, transfer, r_stripe, 'CREDIT', NULL);
    RETURN ROW('charged', transfer, p_amount, free, p_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        false, 'operating', budgeted)::ledger.spend_answer;
END
$$;
