-- Row-level security, grants and immutability of the escrow's tables. Run by migration 0003; running it again replaces
-- everything. Only the platform's role writes: an escrow touches two tenants.

SELECT pg_temp.row_security('escrows', 'escrow_events');
SELECT pg_temp.append_only('escrow_events');
CREATE POLICY tenant_reads ON escrows FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR signatory_org_ids @> ARRAY[bursar_org()]);
-- The inner query is bound by the policy above.
CREATE POLICY tenant_reads ON escrow_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM escrows WHERE escrows.id = escrow_events.escrow_id));
GRANT SELECT ON escrows, escrow_events TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON escrows TO bursar_platform;
GRANT SELECT, INSERT ON escrow_events TO bursar_platform;

-- An escrow as an organization sees it, in one round trip: the tenant is set and the row read under its policy within
-- the statement's own transaction. Null when there is none, or none that the organization may see.
CREATE OR REPLACE FUNCTION tenant_escrow(p_org text, p_escrow text) RETURNS jsonb
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_org THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_org, true);
    RETURN (SELECT e.state FROM public.escrows e WHERE e.id = p_escrow);
END
$$;
REVOKE EXECUTE ON FUNCTION tenant_escrow(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_escrow(text, text) TO bursar_api;
