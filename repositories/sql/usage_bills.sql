-- Row-level security, grants and immutability of billing terms and of the bills of usage in arrears. Running it again
-- replaces everything. A tenant reads its own; the platform's role writes.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['billing_terms', 'usage_bills', 'usage_bill_sums']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('CREATE POLICY tenant_reads ON %I FOR SELECT TO bursar_api USING (org_id = bursar_org())', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
        EXECUTE format('GRANT SELECT ON %I TO bursar_api', v_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO bursar_platform', v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_delete ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_table);
    END LOOP;
END $$;

GRANT UPDATE (sealed_at, invoice_id, billed_at, discount_bps) ON usage_bills TO bursar_platform;
GRANT UPDATE (events, quantity, pico, line) ON usage_bill_sums TO bursar_platform;

-- What was billed stays billed.
DROP TRIGGER IF EXISTS refuse_change ON usage_bills;
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_bills
    FOR EACH ROW WHEN (OLD.billed_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
