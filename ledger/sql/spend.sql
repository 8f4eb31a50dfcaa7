-- Spends of an organization's credits: checked against its spend controls, counted and posted by one statement.
--
-- The row of the organization's credits is the mutex under which its spends, controls and counters change; these need
-- no locks of their own. Holds are locked before it, as everywhere. A refusal is stored and returned, never raised,
-- because that would roll back its record.
--
-- Keys begin with the kind of the action and the organization, so that organizations cannot use each other's keys. A
-- function for tenants takes the organization from `bursar_org()`, the time from the clock, and the other account from
-- here; its inner function, which ends in `_at`, is the platform's. BU004: the request breaks a rule. BU002: the key
-- was used for another request. BU010: the organization has no such spend.

-- The fingerprint of a key's request. No two requests have the same text.
CREATE OR REPLACE FUNCTION ledger.spend_hash(
    p_kind text, p_action text, p_quantity bigint, p_amount bigint, p_agent text, p_department text, p_project text,
    p_run text
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(
    ROW(p_kind, p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run)::text, 'UTF8'
));

-- The account from which the organization spends.
CREATE OR REPLACE FUNCTION ledger.credits_of(p_org text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    account bigint := (
        SELECT a.id FROM ledger.accounts a WHERE a.path = 'org/' || p_org || '/credits' AND a.asset = 'CREDIT'
    );
BEGIN
    IF account IS NULL THEN
        SELECT o.account_id INTO account
        FROM ledger.open_account(
            'org/' || p_org || '/credits', 'CREDIT', p_org, 'liability', 0, 1::smallint, true, true
        ) o;
    END IF;
    RETURN account;
END
$$;

-- The account of credits that were used.
CREATE OR REPLACE FUNCTION ledger.redemption() RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    account bigint := (
        SELECT a.id FROM ledger.accounts a WHERE a.path = 'platform/credit_redemption' AND a.asset = 'CREDIT'
    );
BEGIN
    IF account IS NULL THEN
        SELECT o.account_id INTO account
        FROM ledger.open_account('platform/credit_redemption', 'CREDIT', NULL, 'equity', NULL, 64::smallint) o;
    END IF;
    RETURN account;
END
$$;

-- Waits for the organization's mutex and returns its available credits, neither held nor expired.
CREATE OR REPLACE FUNCTION ledger.lock_credits(p_credits bigint, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    available bigint;
BEGIN
    SELECT b.posted - b.pending_out - b.floor INTO STRICT available
    FROM ledger.balances b WHERE b.account_id = p_credits AND b.stripe = 0 FOR NO KEY UPDATE;
    -- A new statement: it sees the lots as they are now that the balance is locked.
    RETURN available - (
        SELECT coalesce(sum(l.remaining - l.held), 0) FROM ledger.lots l
        WHERE l.account_id = p_credits AND l.is_open AND l.lapses AND l.expires_at <= p_at
    );
END
$$;

-- The status that stops new business with an organization: `suspended` or `closed`; NULL if active. Read it under the
-- organization's mutex: stopping an organization waits for the mutex, so earlier business has ended by then.
CREATE OR REPLACE FUNCTION ledger.stopped(p_org text) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (SELECT o.status FROM public.organizations o WHERE o.id = p_org AND o.status <> 'active');
END
$$;

-- The account of the organization's debt in credits, or NULL if it never had one.
CREATE OR REPLACE FUNCTION ledger.debts_of(p_org text) RETURNS bigint
LANGUAGE sql STABLE
AS $$
    SELECT a.id FROM ledger.accounts a WHERE a.path = 'org/' || p_org || '/debt/CREDIT' AND a.asset = 'CREDIT'
$$;

-- Locks the debts of an organization until the transaction ends; the same lock as `repositories.books.debt.lock`.
CREATE OR REPLACE FUNCTION ledger.lock_debts(p_org text) RETURNS void
LANGUAGE sql
AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('debt:' || p_org, 0))
$$;

-- The latest possible end of a reservation that is made or extended at that time.
CREATE OR REPLACE FUNCTION ledger.reservation_ends(p_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN p_at + interval '720 hours';

-- The part of a counted amount for a part of the spend's amount, rounded up, so that the parts add up to the whole.
CREATE OR REPLACE FUNCTION ledger.share_up(p_counted bigint, p_part bigint, p_amount bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_counted = p_amount THEN p_part
    ELSE ceil(p_counted::numeric * p_part / nullif(p_amount, 0))::bigint END;

CREATE OR REPLACE FUNCTION ledger.share_down(p_counted bigint, p_part bigint, p_amount bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_counted = p_amount THEN p_part
    ELSE floor(p_counted::numeric * p_part / nullif(p_amount, 0))::bigint END;

-- The carry-over of a budget's window: the rest of the previous operating pool, up to the budget's maximum.
-- `p_operating` is the operating amount of each window.
CREATE OR REPLACE FUNCTION ledger.carried_into(p_control ledger.controls, p_starts_at timestamptz, p_operating bigint)
RETURNS bigint
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN p_control.created_at >= p_starts_at OR p_operating IS NULL THEN 0
        ELSE least(p_control.carry_over, greatest(0, coalesce((
            SELECT p_operating + o.moved + o.carried - o.held - o.spent - o.forced + o.refunded FROM ledger.counters o
            WHERE o.control_id = p_control.id AND o."window" = p_control.pools_of AND o.pool = 'operating'
              AND o.ends_at = p_starts_at
        ), p_operating))) END
$$;

-- The budget whose reserve or emergency pool a spend draws: the nearest to the spender that has one. NULL if the pool
-- is closed: there is none, no emergency is declared, or the draw is not approved and no budget has an allowance.
CREATE OR REPLACE FUNCTION ledger.drawn_from(
    p_org text, p_agent text, p_department text, p_project text, p_run text, p_key_id text, p_pool text,
    p_granted boolean, p_at timestamptz
) RETURNS uuid
LANGUAGE sql STABLE
AS $$
    WITH above AS MATERIALIZED (
        SELECT * FROM ledger.controls_of(p_org, p_agent, p_department, p_project, p_run, p_key_id, p_at) c
        WHERE c.pools_of IS NOT NULL
    )
    SELECT c.id FROM above c
    WHERE CASE p_pool WHEN 'emergency' THEN c.emergency IS NOT NULL AND c.emergency_until > p_at
        WHEN 'reserve' THEN c.reserve IS NOT NULL
            AND (p_granted OR EXISTS (SELECT FROM above a WHERE a.may_draw_reserve IS NOT NULL)) END
    ORDER BY cardinality(c.path) DESC,
        array_position(ARRAY['run', 'key', 'agent', 'project', 'department', 'organization'], c.subject_kind), c.id
    LIMIT 1
$$;

-- The windows in which a spend counts, one row for each, and one for a control without windows: the counted amount, the
-- available amount, and the reason of a refusal. Read it under the organization's mutex.
--
-- A draw from the pool `p_pool` of the budget `p_drawn` counts in that pool instead of the operating pool, and in all
-- other windows. A draw without approval also counts in the allowances of the budgets above. `p_lifted` are windows, as
-- `control/window`, that count but do not refuse; `per_spend` among them lifts the maximum of one spend of controls in
-- credits. A cost in money counts as that money, and in credits as the `p_credits` that pay it. Credits count in money
-- at the price of the lots that they take: `p_slices`, or the next ones; `p_holds` as in `ledger.lots_worth`. A cost
-- with a fraction of a minor unit, for which `p_amount` is NULL, counts as its credits.
CREATE OR REPLACE FUNCTION ledger.limits_on(
    p_org text, p_agent text, p_department text, p_project text, p_run text, p_key_id text, p_amount bigint,
    p_at timestamptz, p_forced boolean, p_asset text DEFAULT 'CREDIT', p_pool text DEFAULT 'operating',
    p_drawn uuid DEFAULT NULL, p_granted boolean DEFAULT false, p_lifted text[] DEFAULT '{}',
    p_credits bigint DEFAULT NULL, p_slices jsonb DEFAULT NULL, p_holds boolean DEFAULT false
) RETURNS SETOF ledger.limit_window
LANGUAGE sql STABLE
AS $$
    SELECT c.id, c.subject_kind, c.subject_id, c.asset, w."window", room.amount, w.uses, n.id, starts.at,
        CASE WHEN n.id IS NULL AND w."window" IS NOT NULL
            THEN ledger.window_end(w."window", p_at, c.zone, c.week_starts) ELSE n.ends_at END,
        counts.amount,
        CASE WHEN w.hard THEN fits.amount END,
        CASE WHEN w.hard THEN w.uses - used.uses END,
        c.per_spend,
        CASE
            WHEN p_forced THEN NULL
            WHEN c.status = 'frozen' THEN 'frozen'
            WHEN counts.amount IS NULL THEN 'rate'
            WHEN counts.amount > c.per_spend AND (c.asset <> 'CREDIT' OR 'per_spend' <> ALL (p_lifted)) THEN 'per_spend'
            WHEN concat(c.id, '/', w."window") = ANY (p_lifted) THEN NULL
            -- A free spend fits even if nothing is left, or more was spent than a lowered limit.
            WHEN w.hard AND counts.amount > 0 AND counts.amount > fits.amount THEN 'limit'
            WHEN w.hard AND w.uses <= used.uses THEN 'uses'
        END,
        w.pool, room.carried
    FROM ledger.controls_of(p_org, p_agent, p_department, p_project, p_run, p_key_id, p_at) c
    LEFT JOIN LATERAL (
        SELECT u."window", u.uses, u.hard, CASE WHEN d.is_drawn THEN p_pool ELSE 'operating' END AS pool,
            CASE WHEN NOT d.is_pooled THEN u.amount WHEN NOT d.is_drawn
                    THEN u.amount - coalesce(c.reserve, 0) - coalesce(c.emergency, 0)
                WHEN p_pool = 'reserve' THEN c.reserve ELSE c.emergency END AS amount,
            d.is_pooled AND NOT d.is_drawn AND c.carry_over > 0 AS carries,
            CASE WHEN c.kind = 'budget' THEN u.amount END AS whole
        FROM unnest(c.windows, c.amounts, c.uses, c.hard) AS u ("window", amount, uses, hard), LATERAL (
            SELECT (u."window" = c.pools_of) IS TRUE AS is_pooled,
                (u."window" = c.pools_of AND c.id = p_drawn) IS TRUE AS is_drawn
        ) d
        UNION ALL
        SELECT c.pools_of, NULL, true, 'allowance', c.may_draw_reserve, false, NULL
        WHERE p_pool = 'reserve' AND NOT p_granted AND c.may_draw_reserve IS NOT NULL
    ) w ON true
    -- Windows of a control never overlap, because its zone and its first day of the week never change.
    LEFT JOIN LATERAL (
        SELECT * FROM ledger.counters o
        WHERE o.control_id = c.id AND o."window" = w."window" AND o.pool = w.pool AND o.starts_at <= p_at
        ORDER BY o.starts_at DESC LIMIT 1
    ) n ON n.ends_at > p_at
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n.id IS NULL AND w."window" IS NOT NULL
            THEN ledger.window_start(w."window", p_at, c.zone, c.week_starts) ELSE n.starts_at END AS at
    ) starts
    -- All pools of a budget's window together: uses are not divided among them, and an overdraft of one pool, by force
    -- or after a change of amounts, reduces the others.
    CROSS JOIN LATERAL (
        SELECT sum(o.held + o.spent + o.forced - o.refunded)::bigint AS amount, sum(o.carried)::bigint AS carried,
            sum(o.uses_spent)::bigint AS uses
        FROM ledger.counters o
        WHERE w.whole IS NOT NULL AND o.control_id = c.id AND o."window" = w."window"
          AND o.pool IN ('operating', 'reserve', 'emergency') AND o.starts_at = starts.at
    ) pools
    CROSS JOIN LATERAL (
        SELECT coalesce(n.held + n.spent + n.forced - n.refunded, 0) AS amount,
            coalesce(pools.uses, n.uses_spent, 0) AS uses
    ) used
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n.id IS NOT NULL THEN n.carried
            WHEN w.carries THEN ledger.carried_into(c, starts.at, w.amount) ELSE 0 END AS carried
    ) more
    CROSS JOIN LATERAL (
        SELECT w.amount + coalesce(n.moved, 0) + more.carried AS amount, more.carried
    ) room
    CROSS JOIN LATERAL (
        SELECT least(
            room.amount - used.amount,
            w.whole + greatest(more.carried, pools.carried) - coalesce(pools.amount, 0)
        ) AS amount
    ) fits
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN c.asset = 'CREDIT' THEN coalesce(p_credits, CASE WHEN p_asset = 'CREDIT' THEN p_amount END)
            WHEN c.asset = p_asset AND p_amount IS NOT NULL THEN p_amount
            WHEN p_asset <> 'CREDIT' AND p_amount IS NOT NULL
                THEN coalesce(ledger.money_in(p_amount, p_asset, c.asset, p_at, p_forced), CASE WHEN p_forced THEN 0 END)
            ELSE ledger.lots_worth(
                (SELECT a.id FROM ledger.accounts a WHERE a.path = 'org/' || p_org || '/credits' AND a.asset = 'CREDIT'),
                coalesce(p_credits, p_amount), p_slices, c.asset, p_at, p_forced, p_holds
            ) END AS amount
    ) counts
$$;

-- The windows in which a spend counts when it draws `p_pool`, and the refusing one, if any. With `p_on_limit`
-- `reserve`, a spend that exceeds the operating pool draws the reserve instead, if it fits there. `pool` is the drawn
-- pool; NULL if it is closed. A forced spend then counts in the operating pool.
CREATE OR REPLACE FUNCTION ledger.fit(
    p_org text, p_agent text, p_department text, p_project text, p_run text, p_key_id text, p_amount bigint,
    p_asset text, p_at timestamptz, p_forced boolean, p_pool text, p_on_limit text, p_granted boolean,
    p_lifted text[], p_credits bigint, p_slices jsonb, p_holds boolean, OUT windows ledger.limit_window[],
    OUT refused ledger.limit_window, OUT pool text
)
LANGUAGE plpgsql
AS $$
DECLARE
    drawn uuid;
    others ledger.limit_window[];
BEGIN
    IF p_pool <> 'operating' THEN
        drawn := ledger.drawn_from(
            p_org, p_agent, p_department, p_project, p_run, p_key_id, p_pool, p_granted OR p_forced, p_at
        );
        IF drawn IS NULL AND NOT p_forced THEN
            RETURN;
        END IF;
    END IF;
    pool := CASE WHEN drawn IS NULL THEN 'operating' ELSE p_pool END;
    windows := ARRAY(SELECT l FROM ledger.limits_on(
        p_org, p_agent, p_department, p_project, p_run, p_key_id, p_amount, p_at, p_forced, p_asset, pool, drawn,
        p_granted, p_lifted, p_credits, p_slices, p_holds
    ) l);
    refused := ledger.refusing(windows);
    IF refused.reason = 'limit' AND p_pool = 'operating' AND p_on_limit = 'reserve' THEN
        drawn := ledger.drawn_from(
            p_org, p_agent, p_department, p_project, p_run, p_key_id, 'reserve', p_granted, p_at
        );
        IF drawn IS NOT NULL THEN
            others := ARRAY(SELECT l FROM ledger.limits_on(
                p_org, p_agent, p_department, p_project, p_run, p_key_id, p_amount, p_at, p_forced, p_asset, 'reserve',
                drawn, p_granted, p_lifted, p_credits, p_slices, p_holds
            ) l);
            IF (ledger.refusing(others)).reason IS NULL THEN
                windows := others;
                refused := NULL;
                pool := 'reserve';
            END IF;
        END IF;
    END IF;
END
$$;

-- Creates missing counters, and returns the windows with all of them.
CREATE OR REPLACE FUNCTION ledger.open_counters(p_org text, p_windows ledger.limit_window[])
RETURNS ledger.limit_window[]
LANGUAGE plpgsql
AS $$
DECLARE
    made bigint;
BEGIN
    FOR i IN 1..cardinality(p_windows) LOOP
        IF p_windows[i].counter_id IS NULL AND p_windows[i]."window" IS NOT NULL THEN
            INSERT INTO ledger.counters (
                org_id, control_id, "window", starts_at, ends_at, pool, amount, uses, carried
            ) VALUES (
                p_org, p_windows[i].control_id, p_windows[i]."window", p_windows[i].starts_at, p_windows[i].ends_at,
                p_windows[i].pool, p_windows[i].amount, p_windows[i].uses, p_windows[i].carried
            ) RETURNING id INTO made;
            p_windows[i].counter_id := made;
        END IF;
    END LOOP;
    RETURN p_windows;
END
$$;

-- Stores a refusal and returns it. The first 1,000 for a control and window, or for a day without a window, keep a row,
-- which is the permanent response to their key; later ones are only counted.
CREATE OR REPLACE FUNCTION ledger.refuse_spend(
    p_answer ledger.spend_answer, p_org text, p_key text, p_hash bytea, p_window_starts_at timestamptz,
    p_agent text, p_department text, p_project text, p_run text, p_key_id text, p_principal text, p_action text,
    p_asset text DEFAULT 'CREDIT'
) RETURNS ledger.spend_answer
LANGUAGE plpgsql
AS $$
DECLARE
    starts timestamptz := CASE WHEN p_answer."window" IS NULL THEN date_trunc('day', p_answer.at, 'UTC')
        ELSE p_window_starts_at END;
    place bigint;
BEGIN
    INSERT INTO ledger.refusal_counts AS c (org_id, control_id, "window", starts_at, reason, number)
    VALUES (p_org, p_answer.control_id, p_answer."window", starts, p_answer.reason, 1)
    ON CONFLICT (org_id, control_id, "window", starts_at, reason) DO UPDATE SET number = c.number + 1
    RETURNING c.number INTO place;
    IF place <= 1000 THEN
        INSERT INTO ledger.refusals (
            org_id, idempotency_key, request_hash, reason, control_id, subject_kind, subject_id, asset, "window",
            window_starts_at, limit_amount, remaining, resets_at, amount, spend_asset, available, agent_id,
            department_id, project_id, run_id, key_id, principal, action, pool, at
        ) VALUES (
            p_org, p_key, p_hash, p_answer.reason, p_answer.control_id, p_answer.subject_kind, p_answer.subject_id,
            p_answer.asset, p_answer."window", CASE WHEN p_answer."window" IS NOT NULL THEN starts END,
            p_answer.limit_amount, p_answer.remaining,
            p_answer.resets_at, p_answer.amount, p_asset, p_answer.available, p_agent, p_department, p_project, p_run,
            p_key_id, p_principal, p_action, p_answer.pool, p_answer.at
        );
    END IF;
    RETURN p_answer;
END
$$;

-- The earlier result of a key, or NULL; `conflict` if it was used for another request.
CREATE OR REPLACE FUNCTION ledger.spend_again(p_key text, p_hash bytea) RETURNS ledger.spend_answer
LANGUAGE plpgsql
AS $$
DECLARE
    answer ledger.spend_answer;
    hash bytea;
    spent ledger.spends;
    refused ledger.refusals;
BEGIN
    SELECT * INTO spent FROM ledger.spends s WHERE s.idempotency_key = p_key;
    IF FOUND THEN
        hash := spent.request_hash;
        answer.status := CASE WHEN spent.expires_at IS NULL THEN 'charged' ELSE 'reserved' END;
        answer.spend_id := spent.id;
        answer.amount := spent.amount;
        answer.available := spent.available;
        answer.at := spent.at;
        answer.expires_at := spent.expires_at;
        answer.pool := coalesce((
            SELECT n.pool FROM ledger.counters n
            WHERE n.id = ANY (spent.counted_in) AND n.pool IN ('reserve', 'emergency')
        ), 'operating');
        answer.budgeted := EXISTS (
            SELECT FROM ledger.counters n JOIN ledger.controls c ON c.id = n.control_id
            WHERE n.id = ANY (spent.counted_in) AND c.kind = 'budget'
        );
    ELSE
        SELECT * INTO refused FROM ledger.refusals r WHERE r.idempotency_key = p_key;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        hash := refused.request_hash;
        answer.status := CASE WHEN refused.control_id IS NULL THEN 'insufficient' ELSE 'refused' END;
        answer.amount := refused.amount;
        answer.available := refused.available;
        answer.at := refused.at;
        answer.reason := refused.reason;
        answer.control_id := refused.control_id;
        answer.subject_kind := refused.subject_kind;
        answer.subject_id := refused.subject_id;
        answer.asset := refused.asset;
        answer."window" := refused."window";
        answer.limit_amount := refused.limit_amount;
        answer.remaining := refused.remaining;
        answer.resets_at := refused.resets_at;
        answer.pool := refused.pool;
    END IF;
    IF hash <> p_hash THEN
        answer := NULL;
        answer.status := 'conflict';
    END IF;
    answer.replayed := true;
    RETURN answer;
END
$$;

-- Raises BU004 unless the request is valid. Departments are looked up because the departments above them are found
-- through them: an unknown one would have no limit.
CREATE OR REPLACE FUNCTION ledger.check_spend(
    p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_department text, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF p_org IS NULL THEN
        RAISE EXCEPTION 'a spend is of an organization, and this transaction works for none' USING ERRCODE = 'BU004';
    ELSIF (length(p_key) BETWEEN 1 AND 255 AND length(p_action) BETWEEN 1 AND 255 AND p_quantity > 0 AND p_amount >= 0
        AND p_at IS NOT NULL) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'a spend has a key, an action, a positive quantity and an amount that is not negative'
            USING ERRCODE = 'BU004';
    ELSIF p_department IS NOT NULL
        AND NOT EXISTS (SELECT FROM public.departments d WHERE d.id = p_department AND d.org_id = p_org)
    THEN
        RAISE EXCEPTION 'no department %', p_department USING ERRCODE = 'BU004';
    END IF;
END
$$;

-- Posts a use: from the credits as far as they suffice, and the rest of a forced spend as a debt. The caller holds the
-- balances, and the lock of the debts if there is a rest. For p_lots see `ledger.move_lots`.
CREATE OR REPLACE FUNCTION ledger.post_use(
    p_key text, p_org text, p_credits bigint, p_redemption bigint, p_paid bigint, p_owed bigint, p_at timestamptz,
    p_lots jsonb
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    debts bigint;
    transfer uuid;
BEGIN
    IF p_owed > 0 THEN
        SELECT o.account_id INTO debts
        FROM ledger.open_account('org/' || p_org || '/debt/CREDIT', 'CREDIT', p_org, 'asset', NULL, 1::smallint) o;
        SELECT t.transfer_id INTO transfer FROM ledger.post_legs(
            p_key, 'use', CASE WHEN p_paid > 0 THEN ARRAY[p_credits, debts] ELSE ARRAY[debts] END,
            CASE WHEN p_paid > 0 THEN ARRAY[p_redemption, p_redemption] ELSE ARRAY[p_redemption] END,
            CASE WHEN p_paid > 0 THEN ARRAY[p_paid, p_owed] ELSE ARRAY[p_owed] END, NULL, p_at, p_org, NULL, p_lots
        ) t;
    ELSIF p_paid > 0 THEN
        SELECT t.transfer_id INTO transfer
        FROM ledger.post(p_key, 'use', p_credits, p_redemption, p_paid, NULL, p_at, p_org, NULL, p_lots) t;
    END IF;
    RETURN transfer;
END
$$;

-- Of several refusing windows, the one that refuses longest; none if nothing refuses.
CREATE OR REPLACE FUNCTION ledger.refusing(p_windows ledger.limit_window[]) RETURNS ledger.limit_window
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    w ledger.limit_window;
    refused ledger.limit_window;
BEGIN
    FOREACH w IN ARRAY p_windows LOOP
        IF w.reason IS NOT NULL AND (refused.reason IS NULL OR coalesce(w.ends_at > refused.ends_at, true)) THEN
            refused := w;
        END IF;
    END LOOP;
    RETURN refused;
END
$$;

-- Adds the reason of a window's refusal, its rest and its end.
CREATE OR REPLACE FUNCTION ledger.refused_by(p_answer ledger.spend_answer, p_window ledger.limit_window)
RETURNS ledger.spend_answer
LANGUAGE plpgsql
AS $$
BEGIN
    p_answer.status := 'refused';
    p_answer.reason := p_window.reason;
    p_answer.control_id := p_window.control_id;
    p_answer.subject_kind := p_window.subject_kind;
    p_answer.subject_id := p_window.subject_id;
    p_answer.asset := p_window.asset;
    p_answer.pool := p_window.pool;
    IF p_window.reason = 'per_spend' THEN
        p_answer.limit_amount := p_window.per_spend;
        p_answer.remaining := p_window.per_spend;
    ELSIF p_window.reason IN ('limit', 'uses') THEN
        p_answer."window" := p_window."window";
        p_answer.limit_amount := CASE p_window.reason WHEN 'limit' THEN p_window.amount ELSE p_window.uses END;
        p_answer.remaining := greatest(
            0, CASE p_window.reason WHEN 'limit' THEN p_window.room ELSE p_window.uses_room END
        );
        p_answer.resets_at := CASE WHEN p_window."window" <> 'lifetime' THEN p_window.ends_at END;
    END IF;
    RETURN p_answer;
END
$$;

-- Charges (`charge`), reserves (`reserve`) or books without refusal (`force`). An amount of zero can be reserved as
-- well. With p_paid_only it takes paid credits only; a forced spend beyond them becomes a debt. For pools see
-- `ledger.fit`, and for p_lifted `ledger.limits_on`; a spend from a closed pool returns `pool_closed`, and its key
-- stays free.
--
-- With p_cost it takes the lots that pay a cost in money, see `ledger.lots_for`, and p_amount further credits. Granted
-- credits pay up to p_granted of such costs in a month. The uncovered part of a forced cost is owed at the value of
-- granted credits, because the price of the credits that will pay the debt is unknown.
CREATE OR REPLACE FUNCTION ledger.spend(
    p_kind text, p_org text, p_key text, p_action text, p_quantity bigint, p_amount bigint, p_agent text,
    p_department text, p_project text, p_run text, p_key_id text, p_principal text, p_metadata jsonb,
    p_expires_at timestamptz, p_at timestamptz, p_paid_only boolean DEFAULT false,
    p_pool text DEFAULT 'operating', p_on_limit text DEFAULT 'refuse', p_cost numeric DEFAULT NULL,
    p_cost_in text DEFAULT NULL, p_granted bigint DEFAULT NULL, p_lifted text[] DEFAULT '{}'
) RETURNS ledger.spend_answer
LANGUAGE plpgsql
AS $$
DECLARE
    key text := concat('use:', p_org, ':', p_key);
    hash bytea := ledger.spend_hash(
        concat_ws(':', CASE WHEN (p_pool, p_on_limit) = ('operating', 'refuse') THEN p_kind
            ELSE concat_ws(':', p_kind, p_pool, p_on_limit) END, trim_scale(p_cost), p_cost_in),
        p_action, p_quantity, p_amount, p_agent, p_department, p_project, p_run
    );
    forces boolean := p_kind = 'force';
    reserves boolean := p_kind = 'reserve';
    credits bigint;
    redemption bigint;
    free bigint;
    windows ledger.limit_window[];
    w ledger.limit_window;
    refused ledger.limit_window;
    counter_ids bigint[] := '{}';
    counted_each bigint[] := '{}';
    fitted record;
    taken record;
    owed record;
    amount bigint := p_amount;
    paid bigint;
    granted numeric := 0;
    slices jsonb;
    lots jsonb := CASE WHEN p_paid_only THEN '{"only": "paid"}' END;
    hold uuid;
    transfer uuid;
    answer ledger.spend_answer;
BEGIN
    PERFORM ledger.check_spend(p_org, p_key, p_action, p_quantity, p_amount, p_department, p_at);
    IF p_cost < 0 OR (p_cost IS NULL) <> (p_cost_in IS NULL) THEN
        RAISE EXCEPTION 'a cost is not negative, and has a currency' USING ERRCODE = 'BU004';
    END IF;
    IF reserves AND (p_expires_at > p_at AND p_expires_at <= ledger.reservation_ends(p_at)) IS NOT TRUE THEN
        RAISE EXCEPTION 'a reservation ends after now and within 30 days' USING ERRCODE = 'BU004';
    END IF;
    credits := ledger.credits_of(p_org);
    redemption := ledger.redemption();
    IF forces THEN
        PERFORM ledger.lock_debts(p_org);
        PERFORM ledger.lock_balances(ARRAY[credits, ledger.debts_of(p_org)]);
    END IF;
    free := ledger.lock_credits(credits, p_at);
    IF p_paid_only THEN
        free := least(free, (
            SELECT coalesce(sum(l.remaining - l.held), 0) FROM ledger.lots l
            WHERE l.account_id = credits AND l.is_open AND ledger.may_take(l, lots, p_at)
        ));
    END IF;
    answer := ledger.spend_again(key, hash);
    IF answer.status = 'conflict' THEN
        RAISE EXCEPTION 'key % stands for another spend', p_key USING ERRCODE = 'BU002';
    ELSIF answer.replayed THEN
        RETURN answer;
    END IF;
    paid := least(amount, free);
    IF p_paid_only THEN
        slices := ledger.next_slices(credits, paid, lots, p_at);
    END IF;
    IF p_cost IS NOT NULL THEN
        taken := ledger.lots_for(credits, p_cost, p_cost_in,
            coalesce(ledger.granted_room(p_org, p_granted, p_cost_in, p_at), 0), p_at, forces, p_amount, NULL);
        paid := taken.amount;
        granted := taken.granted;
        slices := taken.slices;
        lots := CASE WHEN NOT taken.is_plain THEN jsonb_build_object('slices', slices) END;
        amount := paid + taken.short;
        IF taken.missing > 0 THEN
            owed := ledger.granted_rate(p_cost_in, p_at, forces);
            -- Without a rate the cost cannot be covered.
            owed.up := ceil(taken.missing * owed.down / nullif(owed.up, 0));
            amount := coalesce(amount + CASE WHEN owed.up > 4e18 AND NOT forces THEN 4e18 ELSE owed.up END, free + 1);
            IF forces AND owed.up IS NULL THEN
                RAISE EXCEPTION 'credits have no price in %', p_cost_in USING ERRCODE = 'BU004';
            END IF;
        END IF;
    END IF;
    answer.amount := amount;
    answer.available := CASE WHEN p_cost IS NOT NULL AND paid < amount THEN paid ELSE free END;
    answer.at := p_at;
    answer.replayed := false;
    IF NOT forces THEN
        answer.status := ledger.stopped(p_org);
        IF answer.status IS NOT NULL THEN
            -- The organization may be resumed, so the key stays free.
            RETURN answer;
        END IF;
    END IF;

    SELECT f.* INTO fitted FROM ledger.fit(
        p_org, p_agent, p_department, p_project, p_run, p_key_id,
        CASE WHEN p_cost IS NULL THEN p_amount WHEN p_amount = 0 AND p_cost = trunc(p_cost) THEN p_cost::bigint END,
        coalesce(p_cost_in, 'CREDIT'), p_at, forces, p_pool, p_on_limit, false, p_lifted,
        CASE WHEN p_cost IS NOT NULL THEN amount END, CASE WHEN paid = amount THEN slices END, reserves
    ) f;
    windows := fitted.windows;
    refused := fitted.refused;
    answer.pool := coalesce(fitted.pool, p_pool);
    IF fitted.pool IS NULL THEN
        answer.status := 'pool_closed';
        RETURN answer;
    ELSIF refused.reason IS NOT NULL THEN
        RETURN ledger.refuse_spend(
            ledger.refused_by(answer, refused), p_org, key, hash, refused.starts_at, p_agent, p_department, p_project,
            p_run, p_key_id, p_principal, p_action
        );
    ELSIF paid < amount AND NOT forces THEN
        answer.status := 'insufficient';
        answer.reason := 'funds';
        RETURN ledger.refuse_spend(
            answer, p_org, key, hash, NULL, p_agent, p_department, p_project, p_run, p_key_id, p_principal, p_action
        );
    END IF;

    answer.spend_id := uuidv7();
    IF reserves THEN
        answer.status := 'reserved';
        answer.expires_at := p_expires_at;
        SELECT h.hold_id INTO hold
        FROM ledger.hold(key, credits, amount, p_expires_at, answer.spend_id::text, p_at, NULL, lots) h;
    ELSE
        answer.status := 'charged';
        transfer := ledger.post_use(key, p_org, credits, redemption, paid, amount - paid, p_at, lots);
    END IF;
    answer.available := free - paid;
    -- Windows without a limit are not counted.
    IF granted > 0 AND p_granted < 10 ^ 15 THEN
        PERFORM ledger.count_granted(p_org, granted, p_at);
    END IF;
    answer.budgeted := cardinality(windows) > 0 AND EXISTS (
        SELECT FROM ledger.controls c
        WHERE c.kind = 'budget' AND c.id = ANY (ARRAY(SELECT u.control_id FROM unnest(fitted.windows) u))
    );

    windows := ledger.open_counters(p_org, windows);
    FOREACH w IN ARRAY windows LOOP
        IF w.counter_id IS NOT NULL THEN
            counter_ids := counter_ids || w.counter_id;
            counted_each := counted_each || w.counts;
        END IF;
    END LOOP;
    UPDATE ledger.counters n SET
        held = n.held + CASE WHEN reserves THEN u.counts ELSE 0 END,
        spent = n.spent + CASE WHEN reserves OR forces THEN 0 ELSE u.counts END,
        forced = n.forced + CASE WHEN forces THEN u.counts ELSE 0 END,
        uses_spent = n.uses_spent + 1
    FROM unnest(counter_ids, counted_each) AS u (id, counts) WHERE n.id = u.id;
    INSERT INTO ledger.spends (
        id, org_id, idempotency_key, request_hash, status, agent_id, department_id, project_id, run_id, key_id,
        principal, action, quantity, asset, amount, available, hold_id, transfer_id, captured, forced, counted_in,
        counted, at, expires_at, held_until, metadata
    ) VALUES (
        answer.spend_id, p_org, key, hash, answer.status, p_agent, p_department, p_project, p_run, p_key_id,
        p_principal, p_action, p_quantity, 'CREDIT', amount, answer.available, hold, transfer,
        CASE WHEN reserves THEN 0 ELSE amount END, CASE WHEN forces THEN amount ELSE 0 END, counter_ids,
        counted_each, p_at, answer.expires_at, answer.expires_at, p_metadata
    );
    RETURN answer;
END
$$;
