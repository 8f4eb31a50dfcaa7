-- Row-level security, grants and immutability of the projects' tables. Run by migration 0009; running it again replaces
-- everything. A deployment moves slots in the books, so only the platform's role writes; a tenant reads its own.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['projects', 'deployment_events']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('CREATE POLICY tenant_reads ON %I FOR SELECT TO bursar_api USING (org_id = bursar_org())',
                       v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;

DROP TRIGGER IF EXISTS refuse_delete ON projects;
CREATE TRIGGER refuse_delete BEFORE DELETE ON projects FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_change ON deployment_events;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON deployment_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

GRANT SELECT ON projects, deployment_events TO bursar_api;
GRANT SELECT, INSERT, UPDATE (deployed_at, occupies_slot) ON projects TO bursar_platform;
GRANT SELECT, INSERT ON deployment_events TO bursar_platform;
GRANT UPDATE (tier) ON organizations TO bursar_platform;
