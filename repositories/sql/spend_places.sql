-- Row-level security and grants of where spends are. Running it again replaces everything. The platform's role writes
-- them with the days; a tenant reads its own.

ALTER TABLE spend_places ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON spend_places;
CREATE POLICY platform ON spend_places TO bursar_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS tenant_reads ON spend_places;
CREATE POLICY tenant_reads ON spend_places FOR SELECT TO bursar_api USING (org_id = bursar_org());
REVOKE ALL ON spend_places FROM bursar_api, bursar_platform;
GRANT SELECT ON spend_places TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON spend_places TO bursar_platform;
