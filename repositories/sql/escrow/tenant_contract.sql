-- A contract as an organization sees it, in one round trip: the tenant is set and the row read under its policy
-- within the statement's own transaction. No row when there is none, or none that the organization may see.
CREATE OR REPLACE FUNCTION tenant_contract(p_org text, p_contract text) RETURNS SETOF public.contracts
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    RETURN QUERY SELECT c.* FROM public.contracts c WHERE c.id = p_contract;
END
$$;
GRANT EXECUTE ON FUNCTION tenant_contract(text, text) TO bursar_api;
