-- Row-level security and grants of what is collected of invoices. Running it again replaces everything. A tenant reads its
-- own; they are written by the platform's role.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['invoice_collections', 'invoice_collection_events']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
    END LOOP;
END $$;
DROP POLICY IF EXISTS tenant_reads ON invoice_collections;
CREATE POLICY tenant_reads ON invoice_collections FOR SELECT TO bursar_api USING (org_id = bursar_org());
DROP POLICY IF EXISTS tenant_reads ON invoice_collection_events;
CREATE POLICY tenant_reads ON invoice_collection_events FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM invoice_collections c WHERE c.invoice_id = invoice_collection_events.invoice_id)
);
GRANT SELECT ON invoice_collections, invoice_collection_events TO bursar_api;
GRANT SELECT, INSERT ON invoice_collections, invoice_collection_events TO bursar_platform;
GRANT UPDATE (method, status, version, wake_at, state, updated_at) ON invoice_collections TO bursar_platform;
