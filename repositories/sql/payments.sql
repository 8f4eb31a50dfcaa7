-- Row-level security, grants and immutability of the payments' tables. Run by migration 0004; running it again replaces
-- everything. Only the platform's role writes them, except that the API stores what webhooks bring.

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['payments', 'payment_events', 'payment_movements', 'payment_disputes',
                                   'provider_events', 'provider_customers']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('DROP POLICY IF EXISTS platform ON %I', v_table);
        EXECUTE format('CREATE POLICY platform ON %I TO bursar_platform USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS tenant_reads ON %I', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM bursar_api, bursar_platform', v_table);
    END LOOP;
END $$;

DROP TRIGGER IF EXISTS refuse_change ON payment_events;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON payment_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON payment_events;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_delete ON payment_movements;
CREATE TRIGGER refuse_delete BEFORE DELETE ON payment_movements FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON payment_movements;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON payment_movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE POLICY tenant_reads ON payments FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON payment_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM payments WHERE payments.id = payment_events.payment_id));
CREATE POLICY tenant_reads ON payment_disputes FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_reads ON provider_customers FOR SELECT TO bursar_api USING (org_id = bursar_org());

GRANT SELECT ON payments, payment_events, payment_disputes, provider_customers TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON payments, payment_disputes TO bursar_platform;
GRANT SELECT, INSERT ON payment_events, provider_customers TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (fee_minor) ON payment_movements TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (status, payment_id, handled_at) ON provider_events TO bursar_platform;

-- A payment as its organization sees it, in one round trip: the tenant is set and the row read under its policy within
-- the statement's own transaction. Null when there is none, or none that the organization may see.
CREATE OR REPLACE FUNCTION tenant_payment(p_org text, p_payment text) RETURNS jsonb
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    RETURN (SELECT p.state FROM public.payments p WHERE p.id = p_payment);
END
$$;
REVOKE EXECUTE ON FUNCTION tenant_payment(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_payment(text, text) TO bursar_api;
