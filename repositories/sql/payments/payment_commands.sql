-- What an organization asked for under a command, in one round trip, as the organization sees it: one row, or none where
-- the command is new. `status` is the payment's, null before its first event.
CREATE OR REPLACE FUNCTION tenant_payment_command(p_org text, p_command text)
RETURNS TABLE (request_hash bytea, terms jsonb, status text)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    RETURN QUERY
        SELECT c.request_hash, c.terms, p.status
        FROM public.payment_commands c LEFT JOIN public.payments p ON p.id = c.payment_id
        WHERE c.command_id = p_command;
END
$$;

-- Note what a command asks for, once; returns what was noted first, as above. Of two that come at once the second waits.
CREATE OR REPLACE FUNCTION note_payment_command(
    p_org text, p_command text, p_payment text, p_hash bytea, p_terms jsonb, p_asked_by jsonb DEFAULT NULL
) RETURNS TABLE (request_hash bytea, terms jsonb, status text)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    -- Of an organization that is stopped, invoices alone are paid: it owes them. Nothing is answered for what is refused.
    IF p_terms #>> '{purpose,kind}' = 'invoice' OR public.organization_status(p_org) = 'active' THEN
        INSERT INTO public.payment_commands (command_id, org_id, payment_id, request_hash, terms, asked_by)
        VALUES (p_command, p_org, p_payment, p_hash, p_terms, p_asked_by) ON CONFLICT (command_id) DO NOTHING;
    END IF;
    RETURN QUERY SELECT * FROM public.tenant_payment_command(p_org, p_command);
END
$$;

GRANT EXECUTE ON FUNCTION tenant_payment_command(text, text) TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION note_payment_command(text, text, text, bytea, jsonb, jsonb) TO bursar_api, bursar_platform;
