-- What may be spent, and spending it: spend controls, spends and what they counted, departments, costs of actions,
-- spending by day.

-- What the functions answer and hand to each other.
CREATE TYPE ledger.spend_answer AS (
    status text, spend_id uuid, amount bigint, available bigint, at timestamptz, expires_at timestamptz, reason text,
    control_id uuid, subject_kind text, subject_id text, asset text, "window" text, limit_amount bigint,
    remaining bigint, resets_at timestamptz, replayed boolean, pool text, budgeted boolean
);
CREATE TYPE ledger.change_answer AS (
    status text, spend_id uuid, amount bigint, captured bigint, released bigint, refunded bigint, held bigint,
    available bigint, transfer_id uuid, at timestamptz, expires_at timestamptz, replayed boolean
);
CREATE TYPE ledger.limit_window AS (
    control_id uuid, subject_kind text, subject_id text, asset text, "window" text, amount bigint, uses bigint,
    counter_id bigint, starts_at timestamptz, ends_at timestamptz, counts bigint, room bigint, uses_room bigint,
    per_spend bigint, reason text, pool text, carried bigint
);
CREATE TYPE ledger.spend_item AS (
    ord bigint, key text, full_key text, request_hash bytea, action text, quantity bigint, amount bigint, agent_id text,
    department_id text, project_id text, run_id text, key_id text, principal text, metadata jsonb, cost numeric,
    cost_in text, granted bigint
);
CREATE TYPE ledger.spender_window AS (
    spender text, amount bigint, number bigint, of_window ledger.limit_window
);

CREATE TABLE ledger.controls (
    id uuid NOT NULL,
    org_id text NOT NULL,
    kind text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    path uuid[] NOT NULL,
    asset text NOT NULL,
    zone text NOT NULL,
    week_starts smallint NOT NULL,
    parent_id uuid,
    status text NOT NULL,
    version integer NOT NULL,
    windows text[] NOT NULL,
    amounts bigint[] NOT NULL,
    uses bigint[] NOT NULL,
    hard boolean[] NOT NULL,
    per_spend bigint,
    thresholds_e4 integer[] NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    pools_of text,
    reserve bigint,
    emergency bigint,
    carry_over bigint,
    may_draw_reserve bigint,
    emergency_until timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_controls PRIMARY KEY (id),
    CONSTRAINT ck_controls_arrays CHECK (cardinality(amounts) = cardinality(windows)
        AND cardinality(uses) = cardinality(windows) AND cardinality(hard) = cardinality(windows)),
    CONSTRAINT ck_controls_kind CHECK (kind IN ('limit', 'budget', 'mandate')),
    CONSTRAINT ck_controls_limits
        CHECK (0 <= ALL (amounts) AND 0 <= ALL (uses) AND per_spend >= 0 AND 0 < ALL (thresholds_e4)),
    CONSTRAINT ck_controls_path CHECK (cardinality(path) BETWEEN 1 AND 6 AND path[cardinality(path)] = id),
    CONSTRAINT ck_controls_pools CHECK (0 <= ALL (ARRAY[reserve, emergency, carry_over, may_draw_reserve])
        AND (pools_of IS NULL OR kind = 'budget' AND pools_of = ANY (windows))
        AND (pools_of IS NOT NULL
            OR num_nonnulls(reserve, emergency, carry_over, may_draw_reserve, emergency_until) = 0)),
    CONSTRAINT ck_controls_status CHECK (status IN ('active', 'frozen', 'closed')),
    CONSTRAINT ck_controls_subject CHECK (subject_kind IN ('organization', 'department', 'project', 'agent', 'run',
        'key') AND (subject_kind <> 'organization' OR subject_id = org_id)),
    CONSTRAINT ck_controls_term CHECK (starts_at < ends_at),
    CONSTRAINT ck_controls_week_starts CHECK (week_starts BETWEEN 1 AND 7),
    CONSTRAINT ck_controls_windows
        CHECK (windows <@ ARRAY['hour', 'day', 'week', 'month', 'quarter', 'lifetime'] AND cardinality(windows) <= 6),
    CONSTRAINT fk_controls_parent_id_controls FOREIGN KEY (parent_id) REFERENCES ledger.controls
);
CREATE INDEX ix_controls_org_id_id ON ledger.controls (org_id, id);
CREATE UNIQUE INDEX uq_controls_subject ON ledger.controls (org_id, kind, subject_kind, subject_id, asset)
    WHERE status <> 'closed';
SELECT pg_temp.row_security('ledger.controls');
CREATE POLICY tenant ON ledger.controls FOR SELECT TO bursar_api USING (org_id = bursar_org());
-- What is closed stays closed.
CREATE TRIGGER ends_once BEFORE UPDATE ON ledger.controls
    FOR EACH ROW WHEN (OLD.status = 'closed') EXECUTE FUNCTION ledger.refuse_change();
-- What counters are counted by never changes: another zone or first day of the week would begin every window anew.
CREATE TRIGGER immutable BEFORE UPDATE OF id, org_id, kind, subject_kind, subject_id, asset, zone, week_starts,
    created_at OR DELETE OR TRUNCATE ON ledger.controls FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.controls TO bursar_api, bursar_platform;

CREATE TABLE ledger.control_versions (
    control_id uuid NOT NULL,
    org_id text NOT NULL,
    parent_id uuid,
    status text NOT NULL,
    version integer NOT NULL,
    windows text[] NOT NULL,
    amounts bigint[] NOT NULL,
    uses bigint[] NOT NULL,
    hard boolean[] NOT NULL,
    per_spend bigint,
    thresholds_e4 integer[] NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    pools_of text,
    reserve bigint,
    emergency bigint,
    carry_over bigint,
    may_draw_reserve bigint,
    emergency_until timestamptz,
    changed_by text NOT NULL,
    reason text,
    command_id text NOT NULL,
    request_hash bytea NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT pk_control_versions PRIMARY KEY (control_id, version),
    CONSTRAINT uq_control_versions_command_id UNIQUE (command_id),
    CONSTRAINT fk_control_versions_control_id_controls FOREIGN KEY (control_id) REFERENCES ledger.controls
);
CREATE INDEX ix_control_versions_changed_at ON ledger.control_versions (changed_at) WHERE version > 1;
SELECT pg_temp.row_security('ledger.control_versions');
CREATE POLICY tenant ON ledger.control_versions FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.control_versions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.control_versions TO bursar_api, bursar_platform;

CREATE TABLE ledger.counters (
    id bigint GENERATED ALWAYS AS IDENTITY,
    org_id text NOT NULL,
    control_id uuid NOT NULL,
    "window" text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    pool text DEFAULT 'operating' NOT NULL,
    amount bigint,
    uses bigint,
    carried bigint DEFAULT 0 NOT NULL,
    moved bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    spent bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    forced bigint DEFAULT 0 NOT NULL,
    uses_spent bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_counters PRIMARY KEY (id),
    CONSTRAINT uq_counters_control_id_window_pool_starts_at UNIQUE (control_id, "window", pool, starts_at),
    CONSTRAINT ck_counters_counted CHECK (held >= 0),
    CONSTRAINT ck_counters_pool CHECK (pool IN ('operating', 'reserve', 'emergency', 'allowance'))
) WITH (fillfactor = 50);
CREATE INDEX ix_counters_ends_at ON ledger.counters (ends_at);
SELECT pg_temp.row_security('ledger.counters');
CREATE POLICY tenant ON ledger.counters FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF id, org_id, control_id, "window", starts_at, ends_at, pool, amount, uses,
    carried OR DELETE OR TRUNCATE ON ledger.counters FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.counters TO bursar_api, bursar_platform;

-- What was moved by hand from one pool of a window into another.
CREATE TABLE ledger.pool_moves (
    id uuid DEFAULT uuidv7() NOT NULL,
    org_id text NOT NULL,
    control_id uuid NOT NULL,
    from_counter bigint NOT NULL,
    to_counter bigint NOT NULL,
    from_pool text NOT NULL,
    to_pool text NOT NULL,
    amount bigint NOT NULL,
    moved_by text NOT NULL,
    reason text NOT NULL,
    command_id text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_pool_moves PRIMARY KEY (id),
    CONSTRAINT uq_pool_moves_command_id UNIQUE (command_id),
    CONSTRAINT fk_pool_moves_control_id_controls FOREIGN KEY (control_id) REFERENCES ledger.controls,
    CONSTRAINT ck_pool_moves_amount CHECK (amount > 0 AND from_counter <> to_counter)
);
SELECT pg_temp.row_security('ledger.pool_moves');
CREATE POLICY tenant ON ledger.pool_moves FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.pool_moves
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.pool_moves TO bursar_api, bursar_platform;

CREATE TABLE ledger.spends (
    org_id text NOT NULL,
    id uuid NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    status text NOT NULL,
    agent_id text,
    department_id text,
    project_id text,
    run_id text,
    key_id text,
    principal text,
    action text NOT NULL,
    quantity bigint NOT NULL,
    asset text NOT NULL,
    amount bigint NOT NULL,
    available bigint NOT NULL,
    hold_id uuid,
    transfer_id uuid,
    captured bigint DEFAULT 0 NOT NULL,
    released bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    forced bigint DEFAULT 0 NOT NULL,
    counted_in bigint[] NOT NULL,
    counted bigint[] NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamptz,
    held_until timestamptz,
    metadata jsonb,
    CONSTRAINT pk_spends PRIMARY KEY (org_id, id),
    CONSTRAINT uq_spends_idempotency_key UNIQUE (idempotency_key),
    CONSTRAINT ck_spends_status CHECK (captured + released <= amount AND refunded <= captured)
) WITH (fillfactor = 80);
CREATE INDEX ix_spends_hold_id ON ledger.spends (hold_id) WHERE status = 'reserved';
SELECT pg_temp.row_security('ledger.spends');
CREATE POLICY tenant ON ledger.spends FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF id, org_id, idempotency_key, request_hash, agent_id, department_id,
    project_id, run_id, key_id, principal, action, quantity, asset, amount, available, transfer_id, forced, counted_in,
    at, expires_at, metadata OR DELETE OR TRUNCATE ON ledger.spends
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.spends TO bursar_api, bursar_platform;

CREATE TABLE ledger.spend_changes (
    id uuid DEFAULT uuidv7() NOT NULL,
    org_id text NOT NULL,
    spend_id uuid NOT NULL,
    kind text NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    amount bigint NOT NULL,
    transfer_id uuid,
    status text NOT NULL,
    captured bigint NOT NULL,
    released bigint NOT NULL,
    refunded bigint NOT NULL,
    held bigint NOT NULL,
    available bigint NOT NULL,
    held_until timestamptz,
    at timestamptz NOT NULL,
    CONSTRAINT pk_spend_changes PRIMARY KEY (id),
    CONSTRAINT uq_spend_changes_idempotency_key UNIQUE (idempotency_key),
    CONSTRAINT ck_spend_changes_kind CHECK (kind IN ('capture', 'release', 'extend', 'refund')),
    CONSTRAINT ck_spend_changes_transfer CHECK ((transfer_id IS NOT NULL) = (kind IN ('capture', 'refund') AND amount > 0))
);
CREATE INDEX ix_spend_changes_refunds ON ledger.spend_changes (org_id, id) WHERE kind = 'refund';
CREATE INDEX ix_spend_changes_spend_id ON ledger.spend_changes (spend_id, id);
SELECT pg_temp.row_security('ledger.spend_changes');
CREATE POLICY tenant ON ledger.spend_changes FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.spend_changes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.spend_changes TO bursar_api, bursar_platform;

-- What escrows count in the limits of their payer.
CREATE TABLE ledger.escrow_counts (
    escrow_id text NOT NULL,
    org_id text NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    agent_id text,
    department_id text,
    project_id text,
    key_id text,
    principal text,
    amount bigint NOT NULL,
    spent bigint DEFAULT 0 NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    counted_in bigint[] NOT NULL,
    counted bigint[] NOT NULL,
    at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT pk_escrow_counts PRIMARY KEY (escrow_id),
    CONSTRAINT ck_escrow_counts_moved CHECK (spent >= 0 AND returned >= 0 AND spent + returned <= amount)
) WITH (fillfactor = 80);
CREATE INDEX ix_escrow_counts_changed_at ON ledger.escrow_counts (changed_at);
CREATE INDEX ix_escrow_counts_org_id ON ledger.escrow_counts (org_id, id);
SELECT pg_temp.row_security('ledger.escrow_counts');
CREATE POLICY tenant ON ledger.escrow_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF escrow_id, org_id, id, agent_id, department_id, project_id, key_id, principal, amount,
    counted_in, counted, at OR DELETE OR TRUNCATE ON ledger.escrow_counts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.escrow_counts TO bursar_api, bursar_platform;

-- What is bought outside by purchase orders, as it counts in spend controls. Number 0 is the order, any other one a
-- renewal or what was charged beyond it.
CREATE TABLE ledger.purchase_counts (
    order_id text NOT NULL,
    number integer NOT NULL,
    org_id text NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    agent_id text,
    department_id text,
    project_id text,
    key_id text,
    principal text,
    asset text NOT NULL,
    amount bigint NOT NULL,
    pool text NOT NULL,
    forced boolean NOT NULL,
    spent bigint DEFAULT 0 NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    counted_in bigint[] NOT NULL,
    counted bigint[] NOT NULL,
    at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT pk_purchase_counts PRIMARY KEY (order_id, number),
    CONSTRAINT ck_purchase_counts_moved CHECK (amount > 0 AND spent >= 0 AND returned >= 0
        AND spent + returned <= amount AND refunded BETWEEN 0 AND spent AND (NOT forced OR spent = amount))
) WITH (fillfactor = 80);
CREATE INDEX ix_purchase_counts_changed_at ON ledger.purchase_counts (changed_at);
CREATE INDEX ix_purchase_counts_org_id ON ledger.purchase_counts (org_id, id);
CREATE INDEX ix_purchase_counts_org_id_at ON ledger.purchase_counts (org_id, at);
SELECT pg_temp.row_security('ledger.purchase_counts');
CREATE POLICY tenant ON ledger.purchase_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF order_id, number, org_id, id, agent_id, department_id, project_id, key_id,
    principal, asset, amount, pool, forced, counted_in, counted, at OR DELETE OR TRUNCATE ON ledger.purchase_counts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.purchase_counts TO bursar_api, bursar_platform;

CREATE TABLE ledger.refusals (
    id uuid DEFAULT uuidv7() NOT NULL,
    org_id text NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    reason text NOT NULL,
    control_id uuid,
    subject_kind text,
    subject_id text,
    asset text,
    "window" text,
    window_starts_at timestamptz,
    limit_amount bigint,
    remaining bigint,
    resets_at timestamptz,
    amount bigint NOT NULL,
    spend_asset text DEFAULT 'CREDIT' NOT NULL,
    available bigint NOT NULL,
    agent_id text,
    department_id text,
    project_id text,
    run_id text,
    key_id text,
    principal text,
    action text NOT NULL,
    pool text,
    at timestamptz NOT NULL,
    CONSTRAINT pk_refusals PRIMARY KEY (id),
    CONSTRAINT uq_refusals_idempotency_key UNIQUE (idempotency_key)
);
CREATE INDEX ix_refusals_org_id ON ledger.refusals (org_id, control_id, id);
-- For the log of economic events, where purchase orders have entries of their own.
CREATE INDEX ix_refusals_of_agents ON ledger.refusals (org_id, id)
    WHERE agent_id IS NOT NULL AND idempotency_key NOT LIKE 'purchase:%';
SELECT pg_temp.row_security('ledger.refusals');
CREATE POLICY tenant ON ledger.refusals FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.refusals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.refusals TO bursar_api, bursar_platform;

CREATE TABLE ledger.refusal_counts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    org_id text NOT NULL,
    control_id uuid,
    "window" text,
    starts_at timestamptz NOT NULL,
    reason text NOT NULL,
    number bigint NOT NULL,
    CONSTRAINT pk_refusal_counts PRIMARY KEY (id),
    CONSTRAINT uq_refusal_counts_org_id_control_id_window_starts_at_reason UNIQUE NULLS NOT DISTINCT (org_id,
        control_id, "window", starts_at, reason)
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('ledger.refusal_counts');
CREATE POLICY tenant ON ledger.refusal_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, control_id, "window", starts_at, reason OR DELETE
    OR TRUNCATE ON ledger.refusal_counts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.refusal_counts TO bursar_api, bursar_platform;

CREATE TABLE ledger.rates (
    base text NOT NULL,
    quote text NOT NULL,
    starts_at timestamptz NOT NULL,
    base_minor bigint NOT NULL,
    quote_minor bigint NOT NULL,
    ends_at timestamptz,
    -- The host that it was read from; `operator` where an operator or a setting says it.
    source text NOT NULL,
    CONSTRAINT pk_rates PRIMARY KEY (base, quote, starts_at, source),
    CONSTRAINT ck_rates_rate CHECK (base_minor > 0 AND quote_minor >= 0 AND ends_at > starts_at)
);
CREATE INDEX ix_rates_set ON ledger.rates (base, quote, starts_at) WHERE source = 'operator';
ALTER TABLE ledger.rates ENABLE ROW LEVEL SECURITY;
-- What credits cost is the same for everybody.
CREATE POLICY everybody ON ledger.rates FOR SELECT TO bursar_api, bursar_platform USING (true);
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.rates
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.rates TO bursar_api, bursar_platform;

CREATE TABLE departments (
    id text NOT NULL,
    org_id text NOT NULL,
    name text NOT NULL,
    parent_id text,
    path text[] NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    closed_at timestamptz,
    CONSTRAINT pk_departments PRIMARY KEY (id),
    CONSTRAINT uq_departments_command_id UNIQUE (command_id),
    CONSTRAINT ck_departments_parent CHECK ((parent_id IS NULL) = (cardinality(path) = 1)),
    CONSTRAINT ck_departments_path CHECK (cardinality(path) BETWEEN 1 AND 6 AND path[cardinality(path)] = id),
    CONSTRAINT fk_departments_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_departments_parent_id_departments FOREIGN KEY (parent_id) REFERENCES departments
);
CREATE INDEX ix_departments_org_id_id ON departments (org_id, id);
CREATE UNIQUE INDEX uq_departments_name ON departments (org_id, lower(name)) WHERE closed_at IS NULL;
SELECT pg_temp.row_security('departments');
SELECT pg_temp.tenant_reads_own('departments');
SELECT pg_temp.refuse_deletes('departments');
GRANT SELECT, INSERT, UPDATE (closed_at) ON departments TO bursar_platform;
ALTER TABLE api_keys ADD CONSTRAINT fk_api_keys_department_id_departments
    FOREIGN KEY (department_id) REFERENCES departments;

CREATE TABLE action_costs (
    id text NOT NULL,
    org_id text,
    action text NOT NULL,
    version bigint NOT NULL,
    cost_minor bigint,
    note text,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_action_costs PRIMARY KEY (id),
    CONSTRAINT uq_action_costs_command_id UNIQUE (command_id),
    CONSTRAINT uq_action_costs_org_id_action_version UNIQUE NULLS NOT DISTINCT (org_id, action, version),
    CONSTRAINT ck_action_costs_cost CHECK (cost_minor >= 0),
    CONSTRAINT fk_action_costs_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('action_costs');
CREATE POLICY tenant_reads ON action_costs FOR SELECT TO bursar_api USING (org_id IS NULL OR org_id = bursar_org());
SELECT pg_temp.append_only('action_costs');
GRANT SELECT ON action_costs TO bursar_api;
GRANT SELECT, INSERT ON action_costs TO bursar_platform;

CREATE TABLE spend_rollups (
    org_id text NOT NULL,
    day date NOT NULL,
    spends bigint NOT NULL,
    open_spends uuid[] NOT NULL,
    captured bigint NOT NULL,
    CONSTRAINT pk_spend_rollups PRIMARY KEY (org_id, day)
);
SELECT pg_temp.row_security('spend_rollups');
SELECT pg_temp.tenant_reads_own('spend_rollups');
GRANT SELECT, INSERT, UPDATE ON spend_rollups TO bursar_platform;

CREATE TABLE spend_days (
    id bigint GENERATED ALWAYS AS IDENTITY,
    org_id text NOT NULL,
    day date NOT NULL,
    action text,
    agent_id text,
    department_id text,
    project_id text,
    model text,
    spends bigint NOT NULL,
    quantity bigint NOT NULL,
    captured bigint NOT NULL,
    -- What was paid for the credits that were captured, by currency.
    paid jsonb DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_spend_days PRIMARY KEY (id)
);
CREATE INDEX ix_spend_days_org_id_day ON spend_days (org_id, day);
SELECT pg_temp.row_security('spend_days');
SELECT pg_temp.tenant_reads_own('spend_days');
GRANT SELECT, INSERT, DELETE ON spend_days TO bursar_platform;

CREATE TABLE spend_places (
    org_id text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    day date NOT NULL,
    first_id uuid NOT NULL,
    last_id uuid NOT NULL,
    CONSTRAINT pk_spend_places PRIMARY KEY (org_id, kind, value, day)
);
SELECT pg_temp.row_security('spend_places');
SELECT pg_temp.tenant_reads_own('spend_places');
GRANT SELECT, INSERT, UPDATE ON spend_places TO bursar_platform;

\ir ../../ledger/sql/calendar.sql
\ir ../../ledger/sql/controls.sql
\ir ../../ledger/sql/control_locks.sql
\ir ../../ledger/sql/worth.sql
\ir ../../ledger/sql/spend.sql
\ir ../../ledger/sql/spend_changes.sql
\ir ../../ledger/sql/spend_batch.sql
\ir ../../ledger/sql/spend_quick.sql
\ir ../../ledger/sql/spend_together.sql
\ir ../../ledger/sql/spend_tenants.sql
\ir ../../ledger/sql/escrow_counts.sql
\ir ../../ledger/sql/purchase_counts.sql
\ir ../../ledger/sql/credit_days.sql
\ir ../../repositories/sql/credits/spend_series.sql
