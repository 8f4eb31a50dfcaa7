-- Row-level security, grants and immutability of the costs of actions. Running it again replaces everything. What is for
-- everybody is read by every tenant, what was agreed with one organization by that one only.

SELECT pg_temp.row_security('action_costs');
SELECT pg_temp.append_only('action_costs');
CREATE POLICY tenant_reads ON action_costs FOR SELECT TO bursar_api USING (org_id IS NULL OR org_id = bursar_org());
GRANT SELECT ON action_costs TO bursar_api;
GRANT SELECT, INSERT ON action_costs TO bursar_platform;
