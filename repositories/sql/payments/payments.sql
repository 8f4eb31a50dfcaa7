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
GRANT EXECUTE ON FUNCTION tenant_payment(text, text) TO bursar_api;
