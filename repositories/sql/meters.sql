-- Row-level security and grants of meters. Running it again replaces everything. Meters are made and closed by the
-- platform's role, which judges who may; a tenant reads its own and those of the platform, and what they counted of it.

SELECT pg_temp.row_security('meters', 'meter_days', 'meter_members');
SELECT pg_temp.tenant_reads_own('meter_days', 'meter_members');
GRANT SELECT ON meters TO bursar_api;
GRANT SELECT, INSERT ON meters, meter_days, meter_members TO bursar_platform;

CREATE POLICY tenant_reads ON meters FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (org_id IS NULL AND bursar_org() IS NOT NULL));
GRANT UPDATE (closed_at) ON meters TO bursar_platform;
GRANT UPDATE ON meter_days TO bursar_platform;
