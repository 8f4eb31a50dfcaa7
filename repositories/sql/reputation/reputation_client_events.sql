-- What organizations did as clients beside the ends of their escrows. The client's row is the last lock that is
-- taken.

-- Takes what an organization did, once by its key; false when it was taken before, or counts for nothing.
--
-- p_event: {id, org_id, kind, key, subject, at, value_minor, commission_minor, typical_minor, unit_commission_minor,
--   good_e4, bad_e4, escrow_id, counterparty_org_id, exempt}. `reputation_weight` reads the amounts. What passes between
--   related organizations counts for nothing, but bad news where they only state one tax id: `reputation_declared`.
CREATE OR REPLACE FUNCTION reputation_take_client(p_event jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_org text := p_event ->> 'org_id';
    v_other text := p_event ->> 'counterparty_org_id';
    v_exempt text[] := ARRAY(SELECT jsonb_array_elements_text(p_event -> 'exempt'));
    v_day date := ((p_event ->> 'at')::timestamptz AT TIME ZONE 'UTC')::date;
    v_weight bigint := reputation_weight(p_event);
    v_good bigint := v_weight * (p_event ->> 'good_e4')::bigint / 10000;
    v_bad bigint := v_weight * (p_event ->> 'bad_e4')::bigint / 10000;
BEGIN
    IF v_good + v_bad = 0 OR (
        v_other IS NOT NULL AND reputation_excluded(v_org, v_other, v_exempt) IS NOT NULL
        AND NOT (v_bad > v_good AND reputation_declared(v_org, v_other, v_exempt))
    ) THEN
        RETURN false;
    END IF;
    -- Whoever takes the same event at once waits for the row, and then finds the key.
    INSERT INTO reputation_clients VALUES (v_org, 0, 0, v_day, 0, 500000, v_day) ON CONFLICT DO NOTHING;
    SELECT greatest(through, v_day) INTO STRICT v_day FROM reputation_clients WHERE org_id = v_org FOR UPDATE;
    IF EXISTS (SELECT FROM reputation_client_events WHERE key = p_event ->> 'key') THEN
        RETURN false;
    END IF;
    PERFORM reputation_apply_client(v_org, v_day, p_event ->> 'kind', v_good, v_bad);
    INSERT INTO reputation_client_events (id, seq, org_id, kind, key, subject, weight_e6, good_e6, bad_e6, day, at)
    VALUES (p_event ->> 'id', nextval('reputation_events_seq_seq'), v_org, p_event ->> 'kind', p_event ->> 'key',
        p_event ->> 'subject', v_weight, v_good, v_bad, v_day, (p_event ->> 'at')::timestamptz);
    RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION reputation_take_client TO bursar_platform;
