-- Row-level security, grants and immutability of reconciliation's tables. Run by migration 0006; running it again
-- replaces everything. Tenants have no part in them.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['reconciliation_runs', 'reconciliation_lines', 'reconciliation_differences',
                                   'reconciliation_corrections']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
    END LOOP;
END $$;

DROP TRIGGER IF EXISTS refuse_change ON reconciliation_corrections;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON reconciliation_corrections
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON reconciliation_corrections;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON reconciliation_corrections
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT, UPDATE ON reconciliation_runs, reconciliation_differences TO bursar_platform;
GRANT SELECT, INSERT, DELETE ON reconciliation_lines TO bursar_platform;
GRANT SELECT, INSERT ON reconciliation_corrections TO bursar_platform;
