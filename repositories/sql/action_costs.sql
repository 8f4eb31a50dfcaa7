-- Row-level security, grants and immutability of the costs of actions. Running it again replaces everything. What is for
-- everybody is read by every tenant, what was agreed with one organization by that one only.

ALTER TABLE action_costs ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON action_costs;
CREATE POLICY platform ON action_costs TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_reads ON action_costs;
CREATE POLICY tenant_reads ON action_costs FOR SELECT TO bursar_api USING (org_id IS NULL OR org_id = bursar_org());
REVOKE ALL ON action_costs FROM bursar_api, bursar_platform;
GRANT SELECT ON action_costs TO bursar_api;
GRANT SELECT, INSERT ON action_costs TO bursar_platform;

DROP TRIGGER IF EXISTS refuse_truncate ON action_costs;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON action_costs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_change ON action_costs;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON action_costs FOR EACH ROW EXECUTE FUNCTION refuse_change();
