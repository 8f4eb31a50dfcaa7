-- Row-level security and grants of the charges of usage events. Running it again replaces everything. A tenant reads what
-- became of the charges of its own events; how much of a month was charged is the platform's own.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['usage_charges', 'meter_months']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
    END LOOP;
END $$;

CREATE POLICY tenant_reads ON usage_charges FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT ON usage_charges TO bursar_api;
GRANT SELECT, INSERT, UPDATE (due_at, waits_for, spend_id, amount, charged_at) ON usage_charges TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (charged) ON meter_months TO bursar_platform;
GRANT UPDATE (charged_at) ON meters TO bursar_platform;

-- What was charged stays charged.
DROP TRIGGER IF EXISTS refuse_change ON usage_charges;
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_charges
    FOR EACH ROW WHEN (OLD.spend_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
