-- What is resolved stays so, and an organization closes no case that operators should look at.
CREATE OR REPLACE FUNCTION guard_resolution() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.resolved_at IS NOT NULL THEN
        RAISE EXCEPTION 'alert % is resolved', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    ELSIF OLD.for_operators AND current_user = 'bursar_api' THEN
        RAISE EXCEPTION 'alert % is for operators', OLD.id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER guard_resolution BEFORE UPDATE OF resolved_at, resolved_by ON alerts FOR EACH ROW
    WHEN ((OLD.resolved_at, OLD.resolved_by) IS DISTINCT FROM (NEW.resolved_at, NEW.resolved_by))
    EXECUTE FUNCTION guard_resolution();
