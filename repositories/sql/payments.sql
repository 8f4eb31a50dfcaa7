-- Row-level security, grants and immutability of the payments' tables. Run by migration 0004; running it again replaces
-- everything. Only the platform's role writes them, except that the API stores what webhooks bring.

SELECT pg_temp.row_security(
    'payments', 'payment_events', 'payment_movements', 'payment_disputes', 'provider_events', 'provider_customers'
);
SELECT pg_temp.tenant_reads_own('payments', 'payment_disputes', 'provider_customers');
SELECT pg_temp.refuse_deletes('payment_movements');
SELECT pg_temp.append_only('payment_events');
CREATE POLICY tenant_reads ON payment_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM payments WHERE payments.id = payment_events.payment_id));

GRANT SELECT ON payment_events TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON payments, payment_disputes TO bursar_platform;
GRANT SELECT, INSERT ON payment_events, provider_customers TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (fee_minor) ON payment_movements TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (status, payment_id, handled_at, payload) ON provider_events TO bursar_platform;

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
