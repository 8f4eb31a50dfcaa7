-- The permissions of a key beyond those of its role.

-- Asked beside `api_key_lookup` and `session_lookup`, before the organization is known, and for one exact id only.
CREATE OR REPLACE FUNCTION api_key_permissions(p_id text) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT k.permissions FROM public.api_keys k WHERE k.id = p_id
$$;
GRANT EXECUTE ON FUNCTION api_key_permissions(text) TO bursar_api, bursar_platform;
