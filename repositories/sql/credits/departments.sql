-- The attribution of agents and keys. Only the platform's role writes it: a spender cannot choose it.

-- The attribution of a key: its own department and project, else its agent's. Read with `api_key_lookup`, before the
-- organization is known, and for one exact id only.
CREATE OR REPLACE FUNCTION api_key_attribution(p_id text, OUT department_id text, OUT project_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT coalesce(k.department_id, a.department_id), coalesce(k.project_id, a.project_id)
    FROM public.api_keys k LEFT JOIN public.agents a ON a.id = k.agent_id WHERE k.id = p_id
$$;
GRANT EXECUTE ON FUNCTION api_key_attribution(text) TO bursar_api, bursar_platform;

-- Every process that caches keys drops a key whose attribution has changed.
CREATE OR REPLACE TRIGGER api_key_attribution_changed AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.department_id, OLD.project_id) IS DISTINCT FROM (NEW.department_id, NEW.project_id))
    EXECUTE FUNCTION api_key_changed();
CREATE OR REPLACE FUNCTION agent_attribution_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_notify('bursar_api_keys', k.id)
    FROM public.api_keys k WHERE k.org_id = NEW.org_id AND k.agent_id = NEW.id AND k.revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER agent_attribution_changed AFTER UPDATE ON agents FOR EACH ROW
    WHEN ((OLD.department_id, OLD.project_id) IS DISTINCT FROM (NEW.department_id, NEW.project_id))
    EXECUTE FUNCTION agent_attribution_changed();
