-- Row-level security, grants and immutability of runs of monthly invoices. Running it again replaces everything. A tenant
-- reads what it was and will be invoiced; the platform's role writes.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['billing_runs', 'billed_periods', 'invoice_items']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;

CREATE POLICY tenant_reads ON billed_periods FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON invoice_items FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT ON billed_periods, invoice_items TO bursar_api;
GRANT UPDATE (started_at, finished_at, invoiced, empty, failed) ON billing_runs TO bursar_platform;
GRANT UPDATE (starts_at, ends_at, status, terms_version, currency, charges_minor, usage_minor, shortfall_minor,
    total_minor, invoice_id, failure, done_at) ON billed_periods TO bursar_platform;
GRANT UPDATE (invoice_id, removed_at) ON invoice_items TO bursar_platform;

-- What was invoiced stays invoiced.
DROP TRIGGER IF EXISTS refuse_change ON billed_periods;
CREATE TRIGGER refuse_change BEFORE UPDATE ON billed_periods
    FOR EACH ROW WHEN (OLD.status = 'empty' OR OLD.invoice_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_change ON invoice_items;
CREATE TRIGGER refuse_change BEFORE UPDATE ON invoice_items
    FOR EACH ROW WHEN (num_nonnulls(OLD.invoice_id, OLD.removed_at) > 0) EXECUTE FUNCTION refuse_change();
