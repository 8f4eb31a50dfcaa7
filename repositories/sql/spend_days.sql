-- Row-level security and grants of what was spent by day. Running it again replaces everything. The platform's role adds
-- days up and may add them up again; a tenant reads its own.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['spend_rollups', 'spend_days']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('CREATE POLICY tenant_reads ON %I FOR SELECT TO bursar_api USING (org_id = bursar_org())', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('GRANT SELECT ON %I TO bursar_api', v_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, DELETE ON spend_days TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON spend_rollups TO bursar_platform;
