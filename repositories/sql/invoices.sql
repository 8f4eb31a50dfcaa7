-- Row-level security, grants and immutability of the invoices' tables. Run by migration 0008; running it again replaces
-- everything. Only the platform's role writes them. Nothing can be deleted, so numbers stay without gaps.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['invoices', 'invoice_payments', 'number_sequences']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;

CREATE POLICY tenant_reads ON invoices FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON invoice_payments FOR SELECT TO bursar_api USING (org_id = bursar_org());

GRANT SELECT ON invoices, invoice_payments TO bursar_api;
GRANT SELECT, INSERT, UPDATE (status, paid_minor, void_transfer_id, void_command_id, updated_at) ON invoices TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (amount_minor, updated_at) ON invoice_payments TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (last) ON number_sequences TO bursar_platform;
