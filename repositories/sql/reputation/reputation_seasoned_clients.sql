-- The trust in clients past the window in which they can take their money back: what a discount out of a commission
-- may follow. The client's row in reputation_clients is locked before a row here is written.

-- The client's evidence as of a day: the row, with what came to count after it and up to that day. Bad news counts on the
-- day on which it came, good news once the money behind it stays. An event that is mostly bad of the agent comes at once and
-- brings nothing good of the client, because nothing says when its money stays.
CREATE OR REPLACE FUNCTION reputation_seasoned_client_at(p_org text, p_day date) RETURNS reputation_seasoned_clients
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE
    s reputation_seasoned_clients;
    v_said record;
    v_turn date;
BEGIN
    SELECT * INTO s FROM reputation_seasoned_clients WHERE org_id = p_org;
    IF NOT FOUND THEN
        s := ROW (p_org, '-infinity', 0, 0, 0, '-infinity');
    END IF;
    FOR v_said IN
        SELECT told.day, sum(good)::bigint AS good, sum(bad)::bigint AS bad FROM (
            SELECT seasoned_on AS day, client_good_e6 AS good, 0 AS bad FROM reputation_events e
            WHERE counterparty_org_id = p_org AND client_good_e6 > 0 AND voided_at IS NULL
              AND seasoned_on > s.through AND seasoned_on <= p_day
              AND (SELECT coalesce(sum((value ->> 'good_e6')::bigint - (value ->> 'bad_e6')::bigint), 0)
                   FROM jsonb_array_elements(e.says)) >= 0
            UNION ALL
            SELECT day, 0, client_bad_e6 FROM reputation_events
            WHERE counterparty_org_id = p_org AND client_bad_e6 > 0 AND voided_at IS NULL
              AND day > s.through AND day <= p_day
            UNION ALL
            SELECT day, good_e6, bad_e6 FROM reputation_client_events
            WHERE org_id = p_org AND day > s.through AND day <= p_day
        ) told
        GROUP BY told.day ORDER BY told.day
    LOOP
        IF s.since < v_said.day THEN
            IF s.since <> '-infinity' THEN
                s.good_e6 := reputation_faded_between(s.good_e6, s.since, v_said.day);
                s.bad_e6 := reputation_faded_between(s.bad_e6, s.since, v_said.day);
            END IF;
            s.since := v_said.day;
        END IF;
        s.good_e6 := least(1000000000000, s.good_e6 + v_said.good);
        s.bad_e6 := least(1000000000000, s.bad_e6 + v_said.bad);
        s.held_e6 := least(1000000000000, greatest(s.bad_e6, s.held_e6 + v_said.bad - v_said.good));
    END LOOP;
    s.through := greatest(s.through, p_day);
    -- Readers know the rate of now alone, so a row from before it is written as of its beginning.
    v_turn := reputation_turn();
    IF s.since > '-infinity' AND s.since < v_turn AND v_turn <= s.through THEN
        s.good_e6 := reputation_faded_between(s.good_e6, s.since, v_turn);
        s.bad_e6 := reputation_faded_between(s.bad_e6, s.since, v_turn);
        s.since := v_turn;
    END IF;
    RETURN s;
END $$;

-- Moves the client's row up to a day, which must be over.
CREATE OR REPLACE FUNCTION reputation_season_client(p_org text, p_day date) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public AS $$
    INSERT INTO reputation_seasoned_clients SELECT * FROM reputation_seasoned_client_at(p_org, p_day)
    ON CONFLICT (org_id) DO UPDATE
    SET through = EXCLUDED.through, good_e6 = EXCLUDED.good_e6, bad_e6 = EXCLUDED.bad_e6, held_e6 = EXCLUDED.held_e6,
        since = EXCLUDED.since
$$;

-- Moves the row of a client whose evidence began on a day before an event counts on another one, where nights did not: else
-- it would be more for readers to add up every day.
CREATE OR REPLACE FUNCTION reputation_catch_up_client(p_org text, p_since date, p_day date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF coalesce((SELECT through FROM reputation_seasoned_clients WHERE org_id = p_org), p_since) < p_day - 2 THEN
        PERFORM reputation_season_client(p_org, p_day - 1);
    END IF;
END $$;

-- Makes the row again, once something that may be in it has been voided.
CREATE OR REPLACE FUNCTION reputation_reseason_client(p_org text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_through date;
BEGIN
    SELECT through INTO v_through FROM reputation_seasoned_clients WHERE org_id = p_org;
    IF FOUND THEN
        UPDATE reputation_seasoned_clients
        SET through = '-infinity', good_e6 = 0, bad_e6 = 0, held_e6 = 0, since = '-infinity' WHERE org_id = p_org;
        PERFORM reputation_season_client(p_org, v_through);
    END IF;
END $$;

-- How far a client is trusted for terms on a day, and by how many whole units of evidence: its standing by what is past the
-- window, and no better than that of today. Null for one of which nothing is known.
CREATE OR REPLACE FUNCTION reputation_client_terms(p_org text, p_day date, OUT standing_e6 bigint, OUT units bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE
    v_today bigint;
    s reputation_seasoned_clients;
BEGIN
    SELECT reputation_lower(reputation_faded(good_e6, through - reputation_clients.since), held_e6, 500000) INTO v_today
    FROM reputation_clients WHERE org_id = p_org;
    IF FOUND THEN
        s := reputation_seasoned_client_at(p_org, p_day);
        IF s.since <> '-infinity' THEN
            s.good_e6 := reputation_faded(s.good_e6, p_day - s.since);
        END IF;
        standing_e6 := least(v_today, reputation_lower(s.good_e6, s.held_e6, 500000));
        units := (s.good_e6 + s.held_e6) / 1000000;
    END IF;
END $$;

GRANT EXECUTE ON FUNCTION reputation_seasoned_client_at, reputation_season_client,
    reputation_catch_up_client, reputation_reseason_client,
    reputation_client_terms TO bursar_platform;
