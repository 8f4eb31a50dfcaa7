-- Claiming, finishing and freeing idempotency keys, one round trip each. Each function sets the tenant for its own
-- transaction, so row-level security holds inside it, and refuses a transaction that works for another one already.

CREATE OR REPLACE FUNCTION idempotency_scope(p_scope text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.bursar_org() <> p_scope THEN
        RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
    END IF;
    PERFORM set_config('bursar.org_id', p_scope, true);
END $$;

-- Outcomes: `claimed` (run the act), `replay` (the answer is in the row), `conflict` (the key names another request),
-- `in_flight` (somebody else runs it and their lease has not ended).
CREATE OR REPLACE FUNCTION idempotency_claim(p_scope text, p_key text, p_hash bytea, p_owner text, p_lease interval)
RETURNS TABLE (outcome text, status integer, content_type text, body bytea)
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_row public.idempotency_keys;
BEGIN
    PERFORM public.idempotency_scope(p_scope);
    -- A claim need not outlive a crash of the server: the act would run again under the same command. Keeping the
    -- answer does wait for the disk, and takes the claim with it.
    PERFORM set_config('synchronous_commit', 'off', true);
    LOOP
        INSERT INTO public.idempotency_keys (scope, key, request_hash, state, owner, locked_until)
        VALUES (p_scope, p_key, p_hash, 'running', p_owner, clock_timestamp() + p_lease)
        ON CONFLICT (scope, key) DO NOTHING;
        IF FOUND THEN
            RETURN QUERY SELECT 'claimed', NULL::integer, NULL::text, NULL::bytea;
            RETURN;
        END IF;
        SELECT * INTO v_row FROM public.idempotency_keys k WHERE k.scope = p_scope AND k.key = p_key FOR UPDATE;
        EXIT WHEN FOUND;  -- else the row was freed in between
    END LOOP;
    IF v_row.request_hash <> p_hash THEN
        RETURN QUERY SELECT 'conflict', NULL::integer, NULL::text, NULL::bytea;
    ELSIF v_row.state = 'done' THEN
        RETURN QUERY SELECT 'replay', v_row.status, v_row.content_type, v_row.body;
    ELSIF v_row.locked_until > clock_timestamp() AND v_row.owner <> p_owner THEN
        RETURN QUERY SELECT 'in_flight', NULL::integer, NULL::text, NULL::bytea;
    ELSE
        UPDATE public.idempotency_keys k SET owner = p_owner, locked_until = clock_timestamp() + p_lease
        WHERE k.scope = p_scope AND k.key = p_key;
        RETURN QUERY SELECT 'claimed', NULL::integer, NULL::text, NULL::bytea;
    END IF;
END $$;

-- Lengthen the lease of an act that still runs. Does nothing, and says so, when somebody else has the key now.
CREATE OR REPLACE FUNCTION idempotency_renew(p_scope text, p_key text, p_owner text, p_lease interval)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM public.idempotency_scope(p_scope);
    UPDATE public.idempotency_keys k SET locked_until = clock_timestamp() + p_lease
    WHERE k.scope = p_scope AND k.key = p_key AND k.owner = p_owner AND k.state = 'running';
    RETURN FOUND;
END $$;

-- Keep the answer. Does nothing, and says so, when another process has taken the key over: its answer counts.
CREATE OR REPLACE FUNCTION idempotency_finish(p_scope text, p_key text, p_owner text, p_status integer,
                                              p_content_type text, p_body bytea)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM public.idempotency_scope(p_scope);
    UPDATE public.idempotency_keys k
    SET state = 'done', status = p_status, content_type = p_content_type, body = p_body
    WHERE k.scope = p_scope AND k.key = p_key AND k.owner = p_owner AND k.state = 'running';
    RETURN FOUND;
END $$;

-- Let the key be used again: for any request when nothing happened (`p_forget`), for the same request only when the
-- outcome is unknown.
CREATE OR REPLACE FUNCTION idempotency_free(p_scope text, p_key text, p_owner text, p_forget boolean)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM public.idempotency_scope(p_scope);
    IF p_forget THEN
        DELETE FROM public.idempotency_keys k
        WHERE k.scope = p_scope AND k.key = p_key AND k.owner = p_owner AND k.state = 'running';
    ELSE
        UPDATE public.idempotency_keys k SET locked_until = clock_timestamp()
        WHERE k.scope = p_scope AND k.key = p_key AND k.owner = p_owner AND k.state = 'running';
    END IF;
    RETURN FOUND;
END $$;

GRANT EXECUTE ON FUNCTION idempotency_scope, idempotency_claim, idempotency_renew,
    idempotency_finish(text, text, text, integer, text, bytea), idempotency_free TO bursar_api, bursar_platform;
