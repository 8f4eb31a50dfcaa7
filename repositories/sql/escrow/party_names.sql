-- The title of contracts and the names of their parties, as an organization sees those that it is a party of. Its
-- own role reads no organization but its own, and no agent that others keep private.
CREATE OR REPLACE FUNCTION tenant_party_names(p_org text, p_contracts text[])
RETURNS TABLE (contract_id text, title text, payer_name text, payee_name text, agent_name text,
    granted_minor bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    RETURN QUERY
        SELECT c.id, c.title, payer.name, payee.name, a.name, coalesce(e.granted_minor, 0)
        FROM public.contract_parties p
        JOIN public.contracts c ON c.id = p.contract_id
        JOIN public.organizations payer ON payer.id = c.org_id
        JOIN public.organizations payee ON payee.id = c.payee_org_id
        JOIN public.agents a ON a.id = c.agent_id
        LEFT JOIN public.escrows e ON e.contract_id = c.id
        WHERE p.org_id = p_org AND p.contract_id = ANY (p_contracts);
END
$$;
GRANT EXECUTE ON FUNCTION tenant_party_names(text, text[]) TO bursar_api;
