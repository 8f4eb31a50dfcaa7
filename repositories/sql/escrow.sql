-- Row-level security, grants and immutability of the escrow's tables. Run by migration 0003; running it again replaces
-- everything. Only the platform's role writes: an escrow touches two tenants.

DROP TRIGGER IF EXISTS refuse_change ON escrow_events;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON escrow_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS refuse_truncate ON escrow_events;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON escrow_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE escrows ENABLE ROW LEVEL SECURITY;
ALTER TABLE escrow_events ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON escrows;
DROP POLICY IF EXISTS platform ON escrow_events;
DROP POLICY IF EXISTS tenant_reads ON escrows;
DROP POLICY IF EXISTS tenant_reads ON escrow_events;

CREATE POLICY platform ON escrows TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY platform ON escrow_events TO bursar_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_reads ON escrows FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR payee_org_id = bursar_org() OR signatory_org_ids @> ARRAY[bursar_org()]);
-- The inner query is bound by the policy above.
CREATE POLICY tenant_reads ON escrow_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM escrows WHERE escrows.id = escrow_events.escrow_id));

REVOKE ALL ON escrows, escrow_events FROM bursar_api, bursar_platform;
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
