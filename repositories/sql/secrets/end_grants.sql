-- A principal that gets a key while it has none may be somebody else by now: what was granted to the name ends, as
-- `forget_recipient` ends what was sent to it. Grants of agents end with the agent alone.
CREATE OR REPLACE FUNCTION end_grants() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.secret_grants g SET revoked_at = now(), revoked_by = 'key'
        WHERE g.org_id = NEW.org_id AND lower(g.principal) = lower(NEW.principal) AND g.revoked_at IS NULL
            AND NOT EXISTS (SELECT FROM public.api_keys k WHERE k.id <> NEW.id AND k.revoked_at IS NULL
                AND k.org_id = NEW.org_id AND lower(k.principal) = lower(NEW.principal));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER end_grants AFTER INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION end_grants();
