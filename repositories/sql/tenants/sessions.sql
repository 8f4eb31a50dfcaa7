-- Looking up, ending and announcing sessions.

-- The one way a request finds its session: before it, nobody knows which organization is asking. It answers for one
-- exact id only. A session spends as its key does; one that a link opened, as the key of its principal if there is one,
-- also one that has expired: its limits would else end before the session.
CREATE OR REPLACE FUNCTION session_lookup(p_id text)
RETURNS TABLE (secret_hash bytea, key_id text, org_id text, principal text, role text, agent_id text, made_by text,
               idle_seconds integer, last_used_at timestamptz, expires_at timestamptz, ended_at timestamptz,
               key_ended boolean, spends_as text, department_id text, project_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT s.secret_hash, s.key_id, s.org_id, s.principal, s.role, s.agent_id, s.made_by,
        s.idle_seconds, s.last_used_at, s.expires_at, s.ended_at,
        k.revoked_at IS NOT NULL OR coalesce(k.expires_at <= now(), false),
        coalesce(w.id, s.id), coalesce(w.department_id, a.department_id), coalesce(w.project_id, a.project_id)
    FROM public.sessions s
    JOIN public.api_keys k ON k.id = s.key_id
    LEFT JOIN public.api_keys w ON w.id = CASE WHEN s.link_id IS NULL THEN s.key_id ELSE (
        SELECT p.id FROM public.api_keys p
        WHERE p.org_id = s.org_id AND lower(p.principal) = lower(s.principal) AND p.revoked_at IS NULL
        ORDER BY coalesce(p.expires_at <= now(), false), p.id LIMIT 1
    ) END
    LEFT JOIN public.agents a ON a.id = s.agent_id
    WHERE s.id = p_id
$$;
GRANT EXECUTE ON FUNCTION session_lookup(text) TO bursar_api, bursar_platform;

-- Every process that keeps sessions in memory listens, and forgets one that was ended.
CREATE OR REPLACE FUNCTION session_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM pg_notify('bursar_sessions', OLD.id);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER session_changed AFTER UPDATE ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at) EXECUTE FUNCTION session_changed();
CREATE OR REPLACE TRIGGER session_deleted AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION session_changed();

-- What has ended stays ended, and a link that was used stays used.
CREATE OR REPLACE FUNCTION session_stays_ended() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public AS $$
BEGIN
    RAISE EXCEPTION '% has ended or was used', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE OR REPLACE TRIGGER session_stays_ended BEFORE UPDATE ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
    EXECUTE FUNCTION session_stays_ended();
CREATE OR REPLACE TRIGGER session_link_stays_ended BEFORE UPDATE ON session_links FOR EACH ROW
    WHEN ((OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
          OR (OLD.used_at IS NOT NULL AND NEW.used_at IS DISTINCT FROM OLD.used_at))
    EXECUTE FUNCTION session_stays_ended();

-- A key that is revoked ends the sessions that it opened, the links that it made with theirs, and those links and
-- sessions by which others act for its principal: whoever lost the key would go on in one of these. Links come first: who
-- redeems one holds its row, and once that is let go, the session is there to be ended.
CREATE OR REPLACE FUNCTION api_key_ends_sessions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.session_links SET ended_at = now(), ended_by = 'key' WHERE key_id = NEW.id AND ended_at IS NULL;
    UPDATE public.session_links SET ended_at = now(), ended_by = 'key'
        WHERE org_id = NEW.org_id AND lower(principal) = lower(NEW.principal) AND ended_at IS NULL;
    UPDATE public.sessions SET ended_at = now(), ended_by = 'key' WHERE key_id = NEW.id AND ended_at IS NULL;
    UPDATE public.sessions SET ended_at = now(), ended_by = 'key'
        WHERE org_id = NEW.org_id AND lower(principal) = lower(NEW.principal) AND link_id IS NOT NULL
            AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER api_key_ends_sessions AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION api_key_ends_sessions();
