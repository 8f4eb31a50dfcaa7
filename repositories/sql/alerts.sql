-- What organizations read and write of the alerts, and what operators write. Running it again replaces everything.
-- Migration 0025 has the policy by which an organization updates what is shared with it.

DROP POLICY IF EXISTS tenant_reads ON alerts;
CREATE POLICY tenant_reads ON alerts FOR SELECT TO bursar_api USING (org_id = bursar_org() AND shared);

GRANT SELECT ON alerts TO bursar_api;

DO $$
BEGIN
    -- Migration 0021 runs this file before there is anything of it.
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'alerts'::regclass AND attname = 'resolved_at') THEN
        GRANT UPDATE (org_snoozed_until, resolved_at, resolved_by) ON alerts TO bursar_api;
        GRANT UPDATE (snoozed_until, resolved_at, resolved_by, told_at) ON alerts TO bursar_platform;
        -- What is resolved stays so, and an organization closes no case that operators should look at.
        CREATE OR REPLACE FUNCTION guard_resolution() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
        BEGIN
            IF OLD.resolved_at IS NOT NULL THEN
                RAISE EXCEPTION 'alert % is resolved', OLD.id USING ERRCODE = 'integrity_constraint_violation';
            ELSIF OLD.for_operators AND current_user = 'bursar_api' THEN
                RAISE EXCEPTION 'alert % is for operators', OLD.id USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $guard$;
        CREATE OR REPLACE TRIGGER guard_resolution BEFORE UPDATE OF resolved_at, resolved_by ON alerts FOR EACH ROW
            WHEN ((OLD.resolved_at, OLD.resolved_by) IS DISTINCT FROM (NEW.resolved_at, NEW.resolved_by))
            EXECUTE FUNCTION guard_resolution();
    END IF;
END $$;
