-- The wrapped keys of versions that another key than the present one wraps, in the order of secrets, for those who wrap
-- them anew. Whoever has one opens nothing with it: the key that wraps it is outside, and what it seals stays here.
CREATE OR REPLACE FUNCTION wrapped_keys(p_present text, p_secret_id text, p_number integer, p_limit integer)
RETURNS TABLE (secret_id text, number integer, org_id text, path text, key_id text, wrapped_key bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.secret_id, v.number, v.org_id, s.path, v.key_id, v.wrapped_key
    FROM public.secret_versions v JOIN public.secrets s ON s.id = v.secret_id
    WHERE v.key_id <> p_present AND (v.secret_id, v.number) > (p_secret_id, p_number)
    ORDER BY v.secret_id, v.number LIMIT p_limit
$$;
GRANT EXECUTE ON FUNCTION wrapped_keys(text, text, integer, integer) TO bursar_platform;
