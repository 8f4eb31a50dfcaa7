-- The version of what an answer shows, kept with the answer.

-- Keep the answer with its version; else as the function of that name without it.
CREATE OR REPLACE FUNCTION idempotency_finish(p_scope text, p_key text, p_owner text, p_status integer,
                                              p_content_type text, p_body bytea, p_version bigint)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM public.idempotency_scope(p_scope);
    UPDATE public.idempotency_keys k
    SET state = 'done', status = p_status, content_type = p_content_type, body = p_body, version = p_version
    WHERE k.scope = p_scope AND k.key = p_key AND k.owner = p_owner AND k.state = 'running';
    RETURN FOUND;
END $$;

-- The version that was kept with an answer; NULL where there was none.
CREATE OR REPLACE FUNCTION idempotency_version(p_scope text, p_key text)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM public.idempotency_scope(p_scope);
    RETURN (SELECT k.version FROM public.idempotency_keys k WHERE k.scope = p_scope AND k.key = p_key);
END $$;

REVOKE ALL ON FUNCTION idempotency_finish(text, text, text, integer, text, bytea, bigint), idempotency_version(text, text)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    idempotency_finish(text, text, text, integer, text, bytea, bigint), idempotency_version(text, text)
TO bursar_api, bursar_platform;
