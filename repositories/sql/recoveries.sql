-- Row-level security and grants of what creators give back. Running it again replaces everything. A tenant reads what its
-- own agents gave back and what was taken back of its payouts; all of it is written by the platform's role.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['recoveries', 'recovery_shares', 'transfer_reversals']
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
DROP POLICY IF EXISTS tenant_reads ON recovery_shares;
CREATE POLICY tenant_reads ON recovery_shares FOR SELECT TO bursar_api USING (org_id = bursar_org());
DROP POLICY IF EXISTS tenant_reads ON transfer_reversals;
CREATE POLICY tenant_reads ON transfer_reversals FOR SELECT TO bursar_api USING (org_id = bursar_org());
GRANT SELECT ON recovery_shares, transfer_reversals TO bursar_api;
GRANT SELECT, INSERT ON recoveries, recovery_shares, transfer_reversals TO bursar_platform;
GRANT UPDATE (closed_at) ON recoveries TO bursar_platform;
GRANT UPDATE (status, amount_minor, goods_minor, reversal_ref, failure, tries, next_at, transfer_id, updated_at)
ON transfer_reversals TO bursar_platform;
