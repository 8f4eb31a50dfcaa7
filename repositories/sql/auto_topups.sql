-- Row-level security and grants of credits that are bought by themselves. Running it again replaces everything. A tenant reads
-- its own rows; they are written by the platform's role, which also makes the payments.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['auto_topups', 'auto_topup_crossings']
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
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
    END LOOP;
END $$;

GRANT SELECT ON auto_topups, auto_topup_crossings TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON auto_topups TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (payment_id, outcome) ON auto_topup_crossings TO bursar_platform;
