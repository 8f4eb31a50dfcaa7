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

-- What is closed stays closed.
CREATE TRIGGER ends_once BEFORE UPDATE ON ledger.controls
    FOR EACH ROW WHEN (OLD.status = 'closed') EXECUTE FUNCTION ledger.refuse_change();

-- What credits cost is the same for everybody.
CREATE POLICY everybody ON ledger.rates FOR SELECT TO bursar_api, bursar_platform USING (true);

GRANT SELECT, INSERT, UPDATE (closed_at) ON departments TO bursar_platform;
CREATE POLICY tenant_reads ON action_costs FOR SELECT TO bursar_api USING (org_id IS NULL OR org_id = bursar_org());

CREATE POLICY tenant ON ledger.controls FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.control_versions FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.counters FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.pool_moves FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.spends FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.spend_changes FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.escrow_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.purchase_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.refusals FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON ledger.refusal_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
SELECT pg_temp.tenant_reads_own('departments', 'spend_rollups', 'spend_days', 'spend_places');
SELECT pg_temp.refuse_deletes('departments');
SELECT pg_temp.append_only('action_costs');
SELECT pg_temp.immutable('ledger.control_versions', 'ledger.pool_moves', 'ledger.spend_changes', 'ledger.refusals',
    'ledger.rates');
-- What counters are counted by never changes: another zone or first day of the week would begin every window anew.
SELECT pg_temp.immutable_but('ledger.controls', 'path', 'parent_id', 'status', 'version', 'windows', 'amounts', 'uses',
    'hard', 'per_spend', 'thresholds_e4', 'starts_at', 'ends_at', 'pools_of', 'reserve', 'emergency', 'carry_over',
    'may_draw_reserve', 'emergency_until');
SELECT pg_temp.immutable_but('ledger.counters', 'moved', 'held', 'spent', 'refunded', 'forced', 'uses_spent');
SELECT pg_temp.immutable_but('ledger.spends', 'status', 'hold_id', 'captured', 'released', 'refunded', 'counted',
    'recorded_at', 'held_until');
SELECT pg_temp.immutable_but('ledger.escrow_counts', 'spent', 'returned', 'changed_at');
SELECT pg_temp.immutable_but('ledger.purchase_counts', 'spent', 'returned', 'refunded', 'changed_at');
SELECT pg_temp.immutable_but('ledger.refusal_counts', 'id', 'number');
GRANT SELECT ON ledger.controls, ledger.control_versions, ledger.counters, ledger.pool_moves, ledger.spends,
    ledger.spend_changes, ledger.escrow_counts, ledger.purchase_counts, ledger.refusals, ledger.refusal_counts,
    ledger.rates TO bursar_api, bursar_platform;
GRANT SELECT ON action_costs TO bursar_api;
GRANT SELECT, INSERT ON action_costs TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON spend_rollups, spend_places TO bursar_platform;
GRANT SELECT, INSERT, DELETE ON spend_days TO bursar_platform;

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
\ir ../../repositories/sql/credits/departments.sql
