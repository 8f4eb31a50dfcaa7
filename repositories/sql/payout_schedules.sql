-- Row-level security and grants of payout schedules. Running it again replaces everything. A tenant reads its own; they are
-- written by the platform's role.
ALTER TABLE payout_schedules ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON payout_schedules;
CREATE POLICY platform ON payout_schedules TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_reads ON payout_schedules;
CREATE POLICY tenant_reads ON payout_schedules FOR SELECT TO bursar_api USING (org_id = bursar_org());
REVOKE ALL ON payout_schedules FROM bursar_api, bursar_platform;
GRANT SELECT ON payout_schedules TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON payout_schedules TO bursar_platform;
