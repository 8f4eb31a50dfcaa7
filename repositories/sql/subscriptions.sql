-- Row-level security, grants and immutability of subscriptions. Running it again replaces everything. A tenant reads its
-- own; the platform's role writes.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['subscriptions', 'subscription_events', 'subscription_bills', 'subscription_grants']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
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
    FOREACH v_table IN ARRAY ARRAY['subscription_events', 'subscription_grants']
    LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS refuse_change ON %I', v_table);
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       v_table);
    END LOOP;
END $$;

CREATE POLICY tenant_reads ON subscriptions FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON subscription_bills FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON subscription_grants FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON subscription_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_events.subscription_id));

GRANT UPDATE (provider_ref, status, plan, version, state, updated_at) ON subscriptions TO bursar_platform;
GRANT UPDATE (granted_minor, accrued_minor, accrued_on) ON subscription_bills TO bursar_platform;
