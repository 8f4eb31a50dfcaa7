-- Looking up, using and announcing API keys.

-- The one way a request finds its key: before it, nobody knows which organization is asking, so row-level security
-- cannot apply. It answers for one exact id only.
CREATE OR REPLACE FUNCTION api_key_lookup(p_id text)
RETURNS TABLE (org_id text, principal text, role text, agent_id text, secret_hash bytea, expires_at timestamptz,
               revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT k.org_id, k.principal, k.role, k.agent_id, k.secret_hash, k.expires_at, k.revoked_at
    FROM public.api_keys k WHERE k.id = p_id
$$;
GRANT EXECUTE ON FUNCTION api_key_lookup(text) TO bursar_api, bursar_platform;

-- Every process that caches keys listens, and forgets a key when its row changes in a way that matters.
CREATE OR REPLACE FUNCTION api_key_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_notify('bursar_api_keys', OLD.id);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER api_key_changed AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.revoked_at, OLD.expires_at, OLD.role, OLD.secret_hash)
          IS DISTINCT FROM (NEW.revoked_at, NEW.expires_at, NEW.role, NEW.secret_hash))
    EXECUTE FUNCTION api_key_changed();
CREATE OR REPLACE TRIGGER api_key_deleted AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION api_key_changed();

-- A revoked key stays revoked.
CREATE OR REPLACE FUNCTION api_key_stays_revoked() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public AS $$
BEGIN
    RAISE EXCEPTION 'the key % is revoked', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE OR REPLACE TRIGGER api_key_stays_revoked BEFORE UPDATE ON api_keys FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
    EXECUTE FUNCTION api_key_stays_revoked();
