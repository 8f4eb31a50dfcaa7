-- Voids what the organizations that came to share something had said of each other, for so many new traits, and returns
-- how many those were. Their agents are marked as stale, for `reputation_refresh`.
CREATE OR REPLACE FUNCTION reputation_judge_traits(p_limit integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    t organization_traits;
    v_others text[];
    v_events text[] := '{}';
    v_org text;
    v_judged integer := 0;
BEGIN
    FOR t IN SELECT * FROM organization_traits WHERE judged_at IS NULL ORDER BY org_id, kind, digest LIMIT p_limit
             FOR UPDATE SKIP LOCKED
    LOOP
        v_judged := v_judged + 1;
        UPDATE organization_traits SET judged_at = clock_timestamp()
        WHERE org_id = t.org_id AND kind = t.kind AND digest = t.digest;
        v_others := ARRAY(SELECT org_id FROM organization_traits
                          WHERE kind = t.kind AND digest = t.digest AND org_id <> t.org_id AND ended_at IS NULL);
        -- Most share theirs with nobody: no event is read for them, however many there are.
        -- A tax id is somebody's word, and says nothing of what was agreed on before: `reputation_stated_later`.
        CONTINUE WHEN t.ended_at IS NOT NULL OR t.kind = 'tax_id' OR (t.kind <> 'probe' AND v_others = '{}');
        v_events := v_events || ARRAY(
            -- As a client and as a payee, each by an index: no plan finds both of one condition but by reading every event.
            SELECT e.id FROM (
                SELECT *, agent_org_id AS other FROM reputation_events WHERE counterparty_org_id = t.org_id
                UNION ALL
                SELECT r.*, r.counterparty_org_id FROM agents a JOIN reputation_events r ON r.agent_id = a.id
                WHERE a.org_id = t.org_id AND r.counterparty_org_id IS NOT NULL
            ) e
            WHERE e.voided_at IS NULL AND e.excluded IS NULL AND (t.kind = 'probe' OR e.other = ANY (v_others)));
    END LOOP;
    IF v_events = '{}' THEN
        RETURN v_judged;
    END IF;
    PERFORM FROM reputation_agents
    WHERE agent_id IN (SELECT agent_id FROM reputation_events WHERE id = ANY (v_events)) ORDER BY agent_id FOR UPDATE;
    UPDATE reputation_events
    SET voided_at = clock_timestamp(), voided_by = 'bursar',
        void_reason = 'The two organizations are related, or one of them probes.'
    WHERE id = ANY (v_events) AND voided_at IS NULL;
    UPDATE reputation_agents SET stale_at = coalesce(stale_at, clock_timestamp())
    WHERE agent_id IN (SELECT agent_id FROM reputation_events WHERE id = ANY (v_events));
    FOR v_org IN SELECT DISTINCT counterparty_org_id FROM reputation_events WHERE id = ANY (v_events) ORDER BY 1 LOOP
        PERFORM reputation_remake_client(v_org);
    END LOOP;
    RETURN v_judged;
END $$;

GRANT EXECUTE ON FUNCTION reputation_judge_traits TO bursar_platform;
