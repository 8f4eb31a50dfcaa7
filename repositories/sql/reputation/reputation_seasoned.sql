-- Evidence past the window in which a payer can take its money back: what a commission, a hold-back or a limit may
-- follow. The agent's row in reputation_agents is locked before a row here is written.

-- The agent's evidence as of a day: the row, with the events that came to count after it and up to that day. An event
-- that is mostly bad comes at once and brings nothing good, because nothing says when its money stays.
CREATE OR REPLACE FUNCTION reputation_seasoned_at(p_agent text, p_day date) RETURNS reputation_seasoned
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE
    s reputation_seasoned;
    v_said record;
    v_turn date;
    i integer;
BEGIN
    SELECT * INTO s FROM reputation_seasoned WHERE agent_id = p_agent;
    IF NOT FOUND THEN
        s.agent_id := p_agent;
        s.through := '-infinity';
        s.evidence_count := 0;
        s.evidence_e6 := 0;
        s.good_e6 := array_fill(0::bigint, ARRAY[5]);
        s.bad_e6 := s.good_e6;
        s.held_e6 := s.good_e6;
        s.since := array_fill('-infinity'::date, ARRAY[5]);
    END IF;
    FOR v_said IN
        SELECT e.seasoned_on AS day, place = 1 AS is_first, value ->> 'dimension' AS dimension,
               CASE WHEN is_good THEN coalesce(value ->> 'counted_good_e6', value ->> 'good_e6')::bigint
                    ELSE 0 END AS good,
               coalesce(value ->> 'counted_bad_e6', value ->> 'bad_e6')::bigint AS bad, e.says
        FROM reputation_events e,
            LATERAL (SELECT sum((value ->> 'good_e6')::bigint - (value ->> 'bad_e6')::bigint) >= 0 AS is_good
                     FROM jsonb_array_elements(e.says)) whole,
            LATERAL jsonb_array_elements(e.says) WITH ORDINALITY said (value, place)
        WHERE e.agent_id = p_agent AND e.seasoned_on > s.through AND e.seasoned_on <= p_day
          AND e.voided_at IS NULL AND e.excluded IS NULL
        ORDER BY e.seasoned_on, e.seq, place
    LOOP
        i := array_position(ARRAY['task_success', 'response_time', 'reliability', 'collaboration', 'quality'],
                            v_said.dimension);
        IF s.since[i] < v_said.day THEN
            IF s.since[i] <> '-infinity' THEN
                s.good_e6[i] := reputation_faded_between(s.good_e6[i], s.since[i], v_said.day);
                s.bad_e6[i] := reputation_faded_between(s.bad_e6[i], s.since[i], v_said.day);
            END IF;
            s.since[i] := v_said.day;
        END IF;
        s.good_e6[i] := least(1000000000000, s.good_e6[i] + v_said.good);
        s.bad_e6[i] := least(1000000000000, s.bad_e6[i] + v_said.bad);
        s.held_e6[i] := least(1000000000000, greatest(s.bad_e6[i], s.held_e6[i] + v_said.bad - v_said.good));
        IF v_said.is_first THEN
            s.evidence_count := s.evidence_count + 1;
            s.evidence_e6 := s.evidence_e6 + least(1000000, (
                SELECT max(coalesce(value ->> 'counted_good_e6', value ->> 'good_e6')::bigint
                           + coalesce(value ->> 'counted_bad_e6', value ->> 'bad_e6')::bigint)
                FROM jsonb_array_elements(v_said.says)));
        END IF;
    END LOOP;
    s.through := greatest(s.through, p_day);
    -- Readers know the rate of now alone, so rows from before it are written as of its beginning.
    v_turn := reputation_turn();
    FOR i IN 1..5 LOOP
        IF s.since[i] > '-infinity' AND s.since[i] < v_turn AND v_turn <= s.through THEN
            s.good_e6[i] := reputation_faded_between(s.good_e6[i], s.since[i], v_turn);
            s.bad_e6[i] := reputation_faded_between(s.bad_e6[i], s.since[i], v_turn);
            s.since[i] := v_turn;
        END IF;
    END LOOP;
    RETURN s;
END $$;

-- Moves the agent's row up to a day, which must be over: no event comes to count on it afterwards.
CREATE OR REPLACE FUNCTION reputation_season(p_agent text, p_day date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO reputation_seasoned SELECT * FROM reputation_seasoned_at(p_agent, p_day)
    ON CONFLICT (agent_id) DO UPDATE
    SET through = EXCLUDED.through, evidence_count = EXCLUDED.evidence_count, evidence_e6 = EXCLUDED.evidence_e6,
        good_e6 = EXCLUDED.good_e6, bad_e6 = EXCLUDED.bad_e6, held_e6 = EXCLUDED.held_e6, since = EXCLUDED.since;
END $$;

-- Makes the row again, once an event that is in it has been voided.
CREATE OR REPLACE FUNCTION reputation_reseason(p_agent text, p_seasoned_on date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_through date;
BEGIN
    SELECT through INTO v_through FROM reputation_seasoned WHERE agent_id = p_agent AND through >= p_seasoned_on;
    IF FOUND THEN
        UPDATE reputation_seasoned
        SET through = '-infinity', evidence_count = 0, evidence_e6 = 0, good_e6 = array_fill(0::bigint, ARRAY[5]),
            bad_e6 = array_fill(0::bigint, ARRAY[5]), held_e6 = array_fill(0::bigint, ARRAY[5]),
            since = array_fill('-infinity'::date, ARRAY[5])
        WHERE agent_id = p_agent;
        PERFORM reputation_season(p_agent, v_through);
    END IF;
END $$;

-- The overall score of an agent on a day by what is past the window: the mean with a prior of one half, what ranks it
-- likewise, and how many whole units of evidence that is: events by their weight, one at most for each, so that many
-- events which weigh nothing are no evidence. The agent's own prior rises with work that can still be charged back, so
-- it counts for nothing here. One row for every agent, a newcomer's without any event.
CREATE OR REPLACE FUNCTION reputation_seasoned_score(
    p_agent text, p_day date, OUT stars_e6 bigint, OUT rank_e6 bigint, OUT evidence_count bigint
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    SELECT div(sum(reputation_share(dimension) * reputation_mean(good, held, 500000)), 10000),
           div(sum(reputation_share(dimension) * reputation_lower(good, held, 500000)), 10000),
           max(of.evidence_e6) / 1000000
    INTO stars_e6, rank_e6, evidence_count
    FROM reputation_seasoned_at(p_agent, p_day) of,
         LATERAL unnest(ARRAY['task_success', 'response_time', 'reliability', 'collaboration', 'quality'],
                        of.good_e6, of.held_e6, of.since) AS of_dimension (dimension, good_then, held, at),
         LATERAL (SELECT CASE WHEN at = '-infinity' THEN 0 ELSE reputation_faded(good_then, p_day - at) END AS good)
             now;
END $$;

REVOKE EXECUTE ON FUNCTION reputation_seasoned_at, reputation_season, reputation_reseason, reputation_seasoned_score
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reputation_seasoned_at, reputation_season, reputation_reseason, reputation_seasoned_score
TO bursar_platform;
