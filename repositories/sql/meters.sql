-- Row-level security and grants of meters. Running it again replaces everything. Meters are made and closed by the
-- platform's role, which judges who may; a tenant reads its own and those of the platform, and what they counted of it.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['meters', 'meter_days', 'meter_members']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('GRANT SELECT ON %I TO bursar_api', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO bursar_platform', v_table);
    END LOOP;
END $$;

CREATE POLICY tenant_reads ON meters FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (org_id IS NULL AND bursar_org() IS NOT NULL));
CREATE POLICY tenant_reads ON meter_days FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON meter_members FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT UPDATE (closed_at) ON meters TO bursar_platform;
GRANT UPDATE ON meter_days TO bursar_platform;
