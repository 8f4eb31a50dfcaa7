-- Row-level security, grants and immutability of the tenants' tables; contracts have a file of their own. Run by migration 0002; running it again replaces
-- everything. `bursar_org()` is the organization of the transaction, null when none was set: then nothing is visible.

-- An append-only table refuses every change, whoever asks.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

SELECT pg_temp.row_security(
    'organizations', 'api_keys', 'agents', 'credit_lots', 'audit_log', 'alerts', 'idempotency_keys'
);
SELECT pg_temp.append_only('credit_lots', 'audit_log');

CREATE POLICY tenant ON organizations TO bursar_api USING (id = bursar_org());
CREATE POLICY tenant ON api_keys TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
CREATE POLICY tenant_reads ON agents FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (visibility = 'public' AND bursar_org() IS NOT NULL));
CREATE POLICY tenant_writes ON agents FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
CREATE POLICY tenant ON credit_lots FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant ON audit_log TO bursar_api
    USING (org_id = bursar_org() OR actor_org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
CREATE POLICY tenant ON idempotency_keys TO bursar_api
    USING (scope = bursar_org()) WITH CHECK (scope = bursar_org());

GRANT SELECT ON organizations, credit_lots TO bursar_api;
GRANT SELECT, INSERT ON agents, audit_log TO bursar_api;
GRANT SELECT, INSERT, UPDATE (revoked_at, secret_hash) ON api_keys TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO bursar_api, bursar_platform;
GRANT SELECT, INSERT ON organizations, agents, credit_lots, audit_log TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (revoked_at, secret_hash, last_used_at) ON api_keys TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (acknowledged_at, acknowledged_by) ON alerts TO bursar_platform;
