-- Whether a path is one of those that a grant names: exact, or below `prefix/*`.
CREATE OR REPLACE FUNCTION secret_path_in(p_path text, p_paths text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM unnest(p_paths) AS each (pattern)
    WHERE p_path = pattern OR (pattern LIKE '%/*' AND starts_with(p_path, rtrim(pattern, '*'))));
GRANT EXECUTE ON FUNCTION secret_path_in(text, text[]) TO bursar_api, bursar_platform;

-- The one way to a sealed value: checks the grant, counts the use, writes the entry and returns what is sealed. A refusal
-- has its entry too, and returns nothing that is sealed. `rotate` and `check` are acts of the platform and need no grant;
-- they alone reach versions that are not in use. An agent reads values only where the operator lets agents do so. A key
-- that an operator issued, directly or through others, reaches nothing and uses up no grant.
CREATE OR REPLACE FUNCTION open_secret(
    p_org_id text, p_path text, p_version integer, p_verb text, p_principal text, p_key_id text,
    p_operator_issued boolean, p_agent_id text, p_host text, p_method text, p_place text, p_headers text[],
    p_purpose text, p_reference text, p_agents_read boolean, p_at timestamptz
) RETURNS TABLE (
    outcome text, secret_id text, kind text, backend text, number integer, grant_id text, price_minor bigint, meter text,
    charged_statuses text[], sealed bytea, wrapped_key bytea, key_id text
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_own boolean := p_verb IN ('rotate', 'check');
    v_outcome text := CASE WHEN v_own THEN 'opened' WHEN p_operator_issued THEN 'operator' ELSE 'no_grant' END;
    v_found record;
    v_secret public.secrets;
    v_version public.secret_versions;
    v_grant public.secret_grants;
BEGIN
    -- In one statement: between two, another version could become the current one.
    SELECT s AS secret, v AS version INTO v_found
        FROM public.secrets s LEFT JOIN public.secret_versions v
            ON v.secret_id = s.id AND v.number = coalesce(p_version, s.current_version)
                AND CASE WHEN v_own THEN v.status <> 'destroyed'
                    ELSE v.status = 'current' OR v.status = 'previous' AND v.usable_until > p_at END
        WHERE s.org_id = p_org_id AND s.path = p_path;
    v_secret := v_found.secret;
    v_version := v_found.version;
    -- The first grant that allows it; where none does, the last one says why.
    FOR v_grant IN
        SELECT * FROM public.secret_grants g
        WHERE v_outcome = 'no_grant' AND g.org_id = p_org_id AND p_verb = ANY (g.verbs)
            AND CASE WHEN p_agent_id IS NULL THEN lower(g.principal) = lower(p_principal)
                ELSE g.agent_id = p_agent_id AND (p_verb = 'use' OR p_agents_read) END
            AND public.secret_path_in(p_path, g.paths) AND g.revoked_at IS NULL AND g.ends_at > p_at
        ORDER BY g.id
    LOOP
        v_outcome := CASE
            WHEN v_secret.id IS NULL THEN 'not_found'
            WHEN v_version.number IS NULL THEN 'no_version'
            WHEN p_verb <> 'use' THEN 'uses'
            WHEN (p_host = ANY (v_grant.hosts)) IS NOT TRUE
                OR v_secret.hosts <> '{}' AND p_host <> ALL (v_secret.hosts) THEN 'host'
            WHEN (p_method = ANY (v_grant.methods)) IS NOT TRUE THEN 'method'
            WHEN (p_place = ANY (v_grant.places)) IS NOT TRUE THEN 'place'
            WHEN (p_headers <@ v_grant.headers) IS NOT TRUE THEN 'header'
            ELSE 'uses'
        END;
        IF v_outcome = 'uses' THEN
            INSERT INTO public.secret_grant_days AS d (grant_id, day, org_id, uses)
                VALUES (v_grant.id, (p_at AT TIME ZONE 'UTC')::date, p_org_id, 1)
                ON CONFLICT ON CONSTRAINT pk_secret_grant_days DO UPDATE SET uses = d.uses + 1
                WHERE v_grant.uses_per_day IS NULL OR d.uses < v_grant.uses_per_day;
            IF FOUND THEN
                v_outcome := 'opened';
                EXIT;
            END IF;
        END IF;
    END LOOP;
    IF v_own AND v_version.number IS NULL THEN
        v_outcome := CASE WHEN v_secret.id IS NULL THEN 'not_found' ELSE 'no_version' END;
    END IF;
    INSERT INTO public.secret_access (org_id, secret_id, path, version, verb, outcome, grant_id, principal, key_id, agent_id,
            host, method, purpose, reference, at)
        VALUES (p_org_id, v_secret.id, p_path, coalesce(v_version.number, p_version), p_verb, v_outcome, v_grant.id,
            p_principal, p_key_id, p_agent_id, p_host, p_method, p_purpose, p_reference, p_at);
    RETURN QUERY SELECT v_outcome, v_secret.id, v_secret.kind, v_secret.backend, v_version.number, v_grant.id,
        v_grant.price_minor, v_grant.meter, v_grant.charged_statuses, o.sealed, o.wrapped_key, o.key_id
        FROM (SELECT) one LEFT JOIN LATERAL (SELECT v_version.sealed, v_version.wrapped_key, v_version.key_id
            WHERE v_outcome = 'opened') o ON true;
END $$;
GRANT EXECUTE ON FUNCTION open_secret(text, text, integer, text, text, text, boolean, text, text, text, text, text[], text,
    text, boolean, timestamptz) TO bursar_platform;
