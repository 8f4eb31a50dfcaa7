-- Row-level security, grants and immutability of the intents of payments. Run by migration 0007; running it again
-- replaces everything. A tenant writes its own, before anything is asked of a provider.

DROP TRIGGER IF EXISTS refuse_change ON payment_commands;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON payment_commands
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON payment_commands;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON payment_commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE payment_commands ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON payment_commands;
DROP POLICY IF EXISTS tenant_reads ON payment_commands;
DROP POLICY IF EXISTS tenant_writes ON payment_commands;
CREATE POLICY platform ON payment_commands TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_reads ON payment_commands FOR SELECT TO bursar_api USING (org_id = bursar_org());
CREATE POLICY tenant_writes ON payment_commands FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());

REVOKE ALL ON payment_commands FROM bursar_api, bursar_platform;
GRANT SELECT, INSERT ON payment_commands TO bursar_api, bursar_platform;

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
    p_org text, p_command text, p_payment text, p_hash bytea, p_terms jsonb
) RETURNS TABLE (request_hash bytea, terms jsonb, status text)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    INSERT INTO public.payment_commands (command_id, org_id, payment_id, request_hash, terms)
    VALUES (p_command, p_org, p_payment, p_hash, p_terms) ON CONFLICT (command_id) DO NOTHING;
    RETURN QUERY SELECT * FROM public.tenant_payment_command(p_org, p_command);
END
$$;

REVOKE EXECUTE ON FUNCTION tenant_payment_command(text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION note_payment_command(text, text, text, bytea, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_payment_command(text, text) TO bursar_api;
GRANT EXECUTE ON FUNCTION note_payment_command(text, text, text, bytea, jsonb) TO bursar_api;
