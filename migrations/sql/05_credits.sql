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

SELECT pg_temp.row_security('ledger.controls');
CREATE POLICY tenant ON ledger.controls FOR SELECT TO bursar_api USING (org_id = bursar_org());
-- What is closed stays closed.
CREATE TRIGGER ends_once BEFORE UPDATE ON ledger.controls
    FOR EACH ROW WHEN (OLD.status = 'closed') EXECUTE FUNCTION ledger.refuse_change();
-- What counters are counted by never changes: another zone or first day of the week would begin every window anew.
CREATE TRIGGER immutable BEFORE UPDATE OF id, org_id, kind, subject_kind, subject_id, asset, zone, week_starts,
    created_at OR DELETE OR TRUNCATE ON ledger.controls FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.controls TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.control_versions');
CREATE POLICY tenant ON ledger.control_versions FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.control_versions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.control_versions TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.counters');
CREATE POLICY tenant ON ledger.counters FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF id, org_id, control_id, "window", starts_at, ends_at, pool, amount, uses,
    carried OR DELETE OR TRUNCATE ON ledger.counters FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.counters TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.pool_moves');
CREATE POLICY tenant ON ledger.pool_moves FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.pool_moves
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.pool_moves TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.spends');
CREATE POLICY tenant ON ledger.spends FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF id, org_id, idempotency_key, request_hash, agent_id, department_id,
    project_id, run_id, key_id, principal, action, quantity, asset, amount, available, transfer_id, forced, counted_in,
    at, expires_at, metadata OR DELETE OR TRUNCATE ON ledger.spends
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.spends TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.spend_changes');
CREATE POLICY tenant ON ledger.spend_changes FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.spend_changes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.spend_changes TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.escrow_counts');
CREATE POLICY tenant ON ledger.escrow_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF escrow_id, org_id, id, agent_id, department_id, project_id, key_id, principal, amount,
    counted_in, counted, at OR DELETE OR TRUNCATE ON ledger.escrow_counts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.escrow_counts TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.purchase_counts');
CREATE POLICY tenant ON ledger.purchase_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF order_id, number, org_id, id, agent_id, department_id, project_id, key_id,
    principal, asset, amount, pool, forced, counted_in, counted, at OR DELETE OR TRUNCATE ON ledger.purchase_counts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.purchase_counts TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.refusals');
CREATE POLICY tenant ON ledger.refusals FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.refusals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.refusals TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('ledger.refusal_counts');
CREATE POLICY tenant ON ledger.refusal_counts FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE TRIGGER immutable BEFORE UPDATE OF org_id, control_id, "window", starts_at, reason OR DELETE
    OR TRUNCATE ON ledger.refusal_counts FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.refusal_counts TO bursar_api, bursar_platform;

ALTER TABLE ledger.rates ENABLE ROW LEVEL SECURITY;
-- What credits cost is the same for everybody.
CREATE POLICY everybody ON ledger.rates FOR SELECT TO bursar_api, bursar_platform USING (true);
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.rates
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.rates TO bursar_api, bursar_platform;

SELECT pg_temp.row_security('departments');
SELECT pg_temp.tenant_reads_own('departments');
SELECT pg_temp.refuse_deletes('departments');
GRANT SELECT, INSERT, UPDATE (closed_at) ON departments TO bursar_platform;

SELECT pg_temp.row_security('action_costs');
CREATE POLICY tenant_reads ON action_costs FOR SELECT TO bursar_api USING (org_id IS NULL OR org_id = bursar_org());
SELECT pg_temp.append_only('action_costs');
GRANT SELECT ON action_costs TO bursar_api;
GRANT SELECT, INSERT ON action_costs TO bursar_platform;

SELECT pg_temp.row_security('spend_rollups');
SELECT pg_temp.tenant_reads_own('spend_rollups');
GRANT SELECT, INSERT, UPDATE ON spend_rollups TO bursar_platform;

SELECT pg_temp.row_security('spend_days');
SELECT pg_temp.tenant_reads_own('spend_days');
GRANT SELECT, INSERT, DELETE ON spend_days TO bursar_platform;

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
