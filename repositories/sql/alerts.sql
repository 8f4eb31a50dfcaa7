-- What organizations read of the alerts. Run by migration 0021; running it again replaces everything.

DROP POLICY IF EXISTS tenant_reads ON alerts;
CREATE POLICY tenant_reads ON alerts FOR SELECT TO bursar_api USING (org_id = bursar_org() AND shared);

GRANT SELECT ON alerts TO bursar_api;
