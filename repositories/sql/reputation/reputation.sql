-- The evidence of agents and clients: the arithmetic of `domain/reputation`. Locks are taken in this order: the
-- agent's row in reputation_agents, then its other rows, then the client's row; whoever writes events comes here
-- after the locks of the books.

-- What is left of an amount after so many nights (`evidence.faded`). In PL/pgSQL, as what follows: each call of a function
-- in SQL that reads a table starts an executor, which is most of what it takes.
CREATE OR REPLACE FUNCTION reputation_faded(p_amount bigint, p_nights integer) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_factor bigint;
BEGIN
    IF p_nights <= 0 OR p_amount = 0 THEN
        RETURN p_amount;
    END IF;
    SELECT factor_e12 INTO v_factor FROM public.reputation_powers WHERE nights = p_nights;
    RETURN coalesce((p_amount / 1000000 * v_factor + p_amount % 1000000 * v_factor / 1000000) / 1000000, 0);
END $$;

-- What is left of an amount from one date to another, by the rates that held in between. Rows that are made again need
-- it; all others were written anew when the rate was changed, and `reputation_faded` is enough for them.
CREATE OR REPLACE FUNCTION reputation_faded_between(p_amount bigint, p_from date, p_to date) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE
    v_amount bigint := p_amount;
    v_from date := p_from;
    v_nights integer;
    v_factor bigint;
    r record;
BEGIN
    IF p_to <= p_from OR p_amount = 0 THEN
        RETURN p_amount;
    END IF;
    FOR r IN SELECT until, factors_e12 FROM reputation_rates WHERE until > p_from ORDER BY until LOOP
        v_nights := least(r.until, p_to) - v_from;
        v_factor := coalesce(r.factors_e12[v_nights + 1], 0);
        v_amount := (v_amount / 1000000 * v_factor + v_amount % 1000000 * v_factor / 1000000) / 1000000;
        v_from := v_from + v_nights;
    END LOOP;
    RETURN reputation_faded(v_amount, p_to - v_from);
END $$;

-- Until when another rate held; before every date where it never was another.
CREATE OR REPLACE FUNCTION reputation_turn() RETURNS date
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN coalesce((SELECT max(until) FROM reputation_rates), '-infinity');
END $$;

-- The posterior's mean (`score.mean_e6`).
CREATE OR REPLACE FUNCTION reputation_mean(p_good bigint, p_bad bigint, p_prior bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT (p_good + 2 * p_prior) * 1000000 / (p_good + p_bad + 2000000) $$;

-- The mean less one standard deviation (`score.lower_e6` with `RANK_E2`).
CREATE OR REPLACE FUNCTION reputation_lower(p_good bigint, p_bad bigint, p_prior bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_mean bigint := (p_good + 2 * p_prior) * 1000000 / (p_good + p_bad + 2000000);
BEGIN
    RETURN greatest(0, v_mean - floor(sqrt(
        (v_mean * (1000000 - v_mean) * 1000000 / (p_good + p_bad + 3000000))::float8))::bigint);
END $$;

-- The part of an amount that a counterparty has left (`weights._left`).
CREATE OR REPLACE FUNCTION reputation_left(p_amount bigint, p_before bigint, p_most bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_before < p_most THEN p_amount * (p_most - p_before) / p_most ELSE 0 END
$$;

-- The index, from 1, of the bucket of a response time (`timing.bucket_of`).
CREATE OR REPLACE FUNCTION reputation_bucket(p_response_ms bigint) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT least(width_bucket(p_response_ms - 1, bounds), cardinality(bounds) - 1) + 1
    FROM (SELECT ARRAY[
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 23, 27, 32, 39, 46, 54, 64, 77, 91, 108, 128, 153, 182, 216,
    256, 305, 363, 431, 512, 610, 725, 862, 1024, 1219, 1449, 1723, 2048, 2438, 2898, 3445, 4096, 4875, 5796,
    6890, 8192, 9749, 11592, 13779, 16384, 19497, 23184, 27558, 32768, 38994, 46367, 55116, 65536, 77988,
    92734, 110232, 131072, 155976, 185467, 220464, 262144, 311952, 370934, 440927, 524288, 623903, 741868,
    881853, 1048576, 1247806, 1483736, 1763705, 2097152, 2495611, 2967471, 3527410, 4194304, 4991222, 5934941,
    7054820, 8388608, 9982444, 11869881, 14109639, 16777216, 19964888, 23739761, 28219278, 33554432, 39929775,
    47479522, 56438555, 67108864, 79859549, 94959043, 112877110, 134217728, 159719097, 189918086, 225754219,
    268435456, 319438193, 379836171, 451508437, 536870912, 638876386, 759672341, 903016874, 1073741824
    ]::bigint[] AS bounds) fixed
$$;

-- What a dimension counts for in the overall score, in ten-thousandths (`score.OVERALL_E4`).
CREATE OR REPLACE FUNCTION reputation_share(p_dimension text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_dimension WHEN 'task_success' THEN 4000 WHEN 'quality' THEN 2000 WHEN 'reliability' THEN 2000
                            WHEN 'response_time' THEN 1000 WHEN 'collaboration' THEN 1000 END::bigint
$$;

-- The priors of a day: those of the last night closed up to it, and one half before the first.
CREATE OR REPLACE FUNCTION reputation_prior(
    p_dimension text, p_day date, OUT newcomer_e6 bigint, OUT proven_e6 bigint
)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT p.newcomer_e6, p.proven_e6 INTO newcomer_e6, proven_e6
    FROM public.reputation_priors p WHERE p.dimension = p_dimension AND p.day <= p_day ORDER BY p.day DESC LIMIT 1;
    IF NOT FOUND THEN
        newcomer_e6 := 500000;
        proven_e6 := 500000;
    END IF;
END $$;

-- The lowest prior of the nights to take, for who has earned so much; null without any (`prior.lowest`).
CREATE OR REPLACE FUNCTION reputation_lowest(p_dimension text, p_after date, p_until date, p_earned bigint)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT min(CASE WHEN p_earned < 3000000 THEN newcomer_e6 ELSE proven_e6 END) FROM public.reputation_priors
            WHERE dimension = p_dimension AND day > p_after AND day <= p_until);
END $$;

-- With what share a client's word counts (`clients.standing_e6`).
CREATE OR REPLACE FUNCTION reputation_standing(p_org text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    c public.reputation_clients;
BEGIN
    SELECT * INTO c FROM public.reputation_clients WHERE org_id = p_org;
    RETURN public.reputation_lower(
        coalesce(public.reputation_faded(c.good_e6, c.through - c.since), 0), coalesce(c.held_e6, 0), 500000);
END $$;

-- Under what name an organization is a counterparty: the operator who made it and others, or the first of those that it
-- shares something with, or its own id. `p_exempt` are the platform's own registrars, whom many unrelated organizations
-- have in common. A tax id gives no name: it is stated at will, and each other one would be a counterparty that has given
-- nothing yet.
CREATE OR REPLACE FUNCTION reputation_counterparty(p_org text, p_exempt text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN (SELECT CASE WHEN created_by <> ALL (p_exempt) AND '*' <> ALL (p_exempt) THEN 'operator:' || created_by
                        ELSE coalesce((
                            SELECT min(o.org_id) FROM organization_traits t JOIN organization_traits o USING (kind, digest)
                            WHERE t.org_id = p_org AND t.kind NOT IN ('probe', 'tax_id')
                                AND t.ended_at IS NULL AND o.ended_at IS NULL), id)
                   END
            FROM organizations WHERE id = p_org);
END $$;

-- Why work between two organizations gives no evidence: `own`, `probe` or `related`; null when it gives evidence.
CREATE OR REPLACE FUNCTION reputation_excluded(p_payer text, p_payee text, p_exempt text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    IF p_payer = p_payee THEN
        RETURN 'own';
    END IF;
    IF EXISTS (SELECT FROM organization_traits WHERE org_id IN (p_payer, p_payee) AND ended_at IS NULL) THEN
        IF EXISTS (SELECT FROM organization_traits
                   WHERE org_id IN (p_payer, p_payee) AND kind = 'probe' AND ended_at IS NULL) THEN
            RETURN 'probe';
        END IF;
        IF EXISTS (SELECT FROM organization_traits t JOIN organization_traits o USING (kind, digest)
                   WHERE t.org_id = p_payer AND o.org_id = p_payee AND t.ended_at IS NULL AND o.ended_at IS NULL) THEN
            RETURN 'related';
        END IF;
    END IF;
    IF '*' <> ALL (p_exempt) AND EXISTS (
        SELECT FROM organizations t JOIN organizations o USING (created_by)
        WHERE t.id = p_payer AND o.id = p_payee AND created_by <> ALL (p_exempt)
    ) THEN
        RETURN 'related';
    END IF;
    RETURN NULL;
END $$;

-- Whether two organizations are related by nothing but a tax id that both state. Anybody can state another's number, so that
-- this keeps no bad news away: whoever expects some would state the number of who brings it.
CREATE OR REPLACE FUNCTION reputation_declared(p_payer text, p_payee text, p_exempt text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN p_payer <> p_payee AND coalesce((
        SELECT bool_and(t.kind = 'tax_id') FROM organization_traits t JOIN organization_traits o USING (kind, digest)
        WHERE t.org_id = p_payer AND o.org_id = p_payee AND t.ended_at IS NULL AND o.ended_at IS NULL), false)
    AND NOT EXISTS (
        SELECT FROM organization_traits
        WHERE org_id IN (p_payer, p_payee) AND kind = 'probe' AND ended_at IS NULL)
    AND ('*' = ANY (p_exempt) OR NOT EXISTS (
        SELECT FROM organizations t JOIN organizations o USING (created_by)
        WHERE t.id = p_payer AND o.id = p_payee AND created_by <> ALL (p_exempt)));
END $$;

-- Whether one of two organizations came to state the tax id of the other only after a time. Then it says nothing of what
-- they had agreed on before: somebody could state another's number for a night, and take back what it had said of it.
CREATE OR REPLACE FUNCTION reputation_stated_later(p_payer text, p_payee text, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN EXISTS (SELECT FROM organization_traits t JOIN organization_traits o USING (kind, digest)
                   WHERE t.org_id = p_payer AND o.org_id = p_payee AND kind = 'tax_id'
                       AND t.ended_at IS NULL AND o.ended_at IS NULL AND greatest(t.last_seen, o.last_seen) >= p_at);
END $$;

-- Adds an event to the agent's rows, which the caller has locked, and completes the event: what the prior learns of
-- it, and by how much the overall score changes.
CREATE OR REPLACE FUNCTION reputation_apply(INOUT e reputation_events)
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_said jsonb;
    v_says jsonb := '[]';
    s reputation_scores;
    g reputation_given;
    v_is_known boolean;
    v_praised bigint;
    v_good bigint;
    v_bad bigint;
    v_newcomer bigint;
    v_proven bigint;
    v_prior bigint;
    v_most bigint := 3000000 * e.rater_e6 / 1000000;
    v_left_good bigint;
    v_before bigint;
    v_delta bigint := 0;
    v_heaviest bigint := 0;
    v_counts boolean := e.response_ms IS NOT NULL;
BEGIN
    FOR v_said IN SELECT value FROM jsonb_array_elements(e.says) LOOP
        v_counts := true;
        v_good := v_said ->> 'good_e6';
        v_bad := v_said ->> 'bad_e6';
        v_newcomer := v_said ->> 'newcomer_e6';
        v_proven := v_said ->> 'proven_e6';
        SELECT * INTO g FROM reputation_given
        WHERE agent_id = e.agent_id AND dimension = v_said ->> 'dimension' AND counterparty = e.counterparty;
        v_is_known := FOUND;
        IF NOT v_is_known THEN
            g := ROW (e.agent_id, v_said ->> 'dimension', e.counterparty, 0, 0, e.day);
        END IF;
        g.good_e6 := reputation_faded(g.good_e6, e.day - g.since);
        IF e.source = 'operator' THEN
            g.bad_e6 := reputation_faded(g.bad_e6, e.day - g.since);
            v_praised := coalesce((
                SELECT reputation_faded(good_e6, e.day - since) FROM reputation_given
                WHERE agent_id = g.agent_id AND dimension = g.dimension AND counterparty = 'reporter:' || e.actor), 0);
            INSERT INTO reputation_given AS kept
            VALUES (g.agent_id, g.dimension, 'reporter:' || e.actor,
                    v_praised + reputation_left(v_good, v_praised + g.bad_e6, v_most), 0, e.day)
            ON CONFLICT (agent_id, dimension, counterparty)
            DO UPDATE SET good_e6 = excluded.good_e6, since = greatest(kept.since, excluded.since);
            v_good := reputation_left(v_good, g.good_e6 + g.bad_e6, v_most);
            v_bad := reputation_left(v_bad, v_praised + g.bad_e6, v_most);
        ELSE
            v_good := reputation_left(v_good, g.good_e6, v_most);
            v_bad := reputation_left(v_bad, g.bad_e6, v_most);
        END IF;
        IF v_is_known THEN
            UPDATE reputation_given
            SET good_e6 = g.good_e6 + v_good, bad_e6 = g.bad_e6 + v_bad, since = greatest(e.day, g.since)
            WHERE agent_id = g.agent_id AND dimension = g.dimension AND counterparty = g.counterparty;
        ELSE
            INSERT INTO reputation_given
            VALUES (g.agent_id, g.dimension, g.counterparty, v_good, v_bad, e.day);
        END IF;
        SELECT * INTO STRICT s FROM reputation_scores
        WHERE agent_id = e.agent_id AND dimension = v_said ->> 'dimension';
        IF e.day > s.through THEN
            s.prior_e6 := least(s.prior_e6, CASE WHEN s.earned_e6 < 3000000 THEN v_newcomer ELSE v_proven END,
                reputation_lowest(s.dimension, s.through, e.day, s.earned_e6));
            s.through := e.day;
        END IF;
        v_heaviest := greatest(v_heaviest, v_good + v_bad);
        v_left_good := reputation_faded(s.good_e6, s.through - s.since);
        v_says := v_says || (v_said || jsonb_build_object(
            'is_proven', s.earned_e6 >= 3000000,
            'counted_good_e6', v_good,
            'counted_bad_e6', v_bad,
            'lesson_good_e6', v_good * 2000000 / (v_left_good + s.held_e6 + 2000000),
            'lesson_bad_e6', v_bad * 2000000 / (v_left_good + s.held_e6 + 2000000)));
        v_before := reputation_mean(v_left_good, s.held_e6, 500000);
        s.bad_e6 := least(1000000000000, reputation_faded(s.bad_e6, s.through - s.since) + v_bad);
        s.good_e6 := least(1000000000000, v_left_good + v_good);
        s.since := s.through;
        s.held_e6 := least(1000000000000, greatest(s.bad_e6, s.held_e6 + v_bad - v_good));
        s.earned_e6 := least(1000000000000, s.earned_e6 + v_good);
        v_prior := CASE WHEN s.earned_e6 < 3000000 THEN v_newcomer ELSE v_proven END;
        s.prior_e6 := least(v_prior,
            s.prior_e6 + greatest(0, v_prior - s.prior_e6) * least(v_good, 1000000) / 1000000);
        s.stars_e6 := reputation_mean(s.good_e6, s.held_e6, 500000);
        v_delta := v_delta + reputation_share(s.dimension) * (s.stars_e6 - v_before);
        UPDATE reputation_scores
        SET good_e6 = s.good_e6, bad_e6 = s.bad_e6, since = s.since, held_e6 = s.held_e6, earned_e6 = s.earned_e6,
            prior_e6 = s.prior_e6, through = s.through, stars_e6 = s.stars_e6, rank_e6 = reputation_lower(s.good_e6, s.held_e6, s.prior_e6),
            evidence_count = evidence_count + 1, evidence_e6 = evidence_e6 + least(1000000, v_good + v_bad),
            latest_on = e.day
        WHERE agent_id = s.agent_id AND dimension = s.dimension;
    END LOOP;
    e.says := v_says;
    e.score_delta_e6 := v_delta / 10000;
    IF v_counts THEN
        UPDATE reputation_agents a
        SET evidence_count = a.evidence_count + 1,
            evidence_e6 = a.evidence_e6 + least(1000000, v_heaviest),
            latest_on = e.day,
            ended = a.ended + e.is_end::int,
            succeeded = a.succeeded + e.is_success::int,
            rated = a.rated + (e.source = 'feedback')::int,
            stars_e6 = o.stars_e6,
            rank_e6 = o.rank_e6
        FROM (SELECT div(sum(reputation_share(dimension) * stars_e6), 10000) AS stars_e6,
                     div(sum(reputation_share(dimension) * rank_e6), 10000) AS rank_e6
              FROM reputation_scores WHERE agent_id = e.agent_id) o
        WHERE a.agent_id = e.agent_id;
    END IF;
    IF e.response_ms IS NOT NULL THEN
        UPDATE reputation_agents
        SET response_count = response_count + 1, response_total_ms = response_total_ms + e.response_ms,
            response_buckets[reputation_bucket(e.response_ms)] = response_buckets[reputation_bucket(e.response_ms)] + 1
        WHERE agent_id = e.agent_id;
    END IF;
END $$;

-- Adds evidence to a client's row, and counts it by its kind. Its prior is always one half.
CREATE OR REPLACE FUNCTION reputation_apply_client(p_org text, p_day date, p_kind text, p_good bigint, p_bad bigint)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    c reputation_clients;
BEGIN
    SELECT * INTO c FROM reputation_clients WHERE org_id = p_org FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO reputation_clients VALUES (p_org, 0, 0, p_day, 0, 500000, p_day) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT c FROM reputation_clients WHERE org_id = p_org FOR UPDATE;
    END IF;
    PERFORM reputation_catch_up_client(p_org, c.since, p_day);
    c.through := greatest(c.through, p_day);
    c.good_e6 := least(1000000000000, reputation_faded(c.good_e6, c.through - c.since) + p_good);
    c.bad_e6 := least(1000000000000, reputation_faded(c.bad_e6, c.through - c.since) + p_bad);
    UPDATE reputation_clients
    SET good_e6 = c.good_e6, bad_e6 = c.bad_e6, since = c.through, through = c.through,
        held_e6 = least(1000000000000, greatest(c.bad_e6, held_e6 + p_bad - p_good)),
        counts = counts || jsonb_build_object(p_kind, coalesce((counts ->> p_kind)::bigint, 0) + 1)
    WHERE org_id = p_org;
END $$;

-- Whether a fact, as `reputation_take` takes it, says more bad than good of the agent, or anything bad of the client.
CREATE OR REPLACE FUNCTION reputation_is_bad(p_fact jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((p_fact ->> 'client_bad_e4')::bigint, 0) > 0
        OR coalesce((SELECT sum((value ->> 'share_e4')::bigint * (10000 - 2 * (value ->> 'good_e4')::bigint))
                     FROM jsonb_array_elements(p_fact -> 'says')), 0) > 0
$$;

-- Whether a fact tells a dimension more bad than good, or anything bad of the client.
CREATE OR REPLACE FUNCTION reputation_has_bad(p_fact jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((p_fact ->> 'client_bad_e4')::bigint, 0) > 0
        OR EXISTS (SELECT FROM jsonb_array_elements(p_fact -> 'says') WHERE 2 * (value ->> 'good_e4')::bigint < 10000)
$$;

-- Whether an event was bad (`reputation_is_bad`), by what it was recorded with.
CREATE OR REPLACE FUNCTION reputation_was_bad(p_says jsonb, p_client_bad bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_client_bad > 0 OR coalesce((SELECT sum((value ->> 'bad_e6')::bigint - (value ->> 'good_e6')::bigint)
                                         FROM jsonb_array_elements(p_says)), 0) > 0
$$;

-- What the end of an escrow says of its client, as a kind of `clients.ClientFact`.
CREATE OR REPLACE FUNCTION reputation_client_kind(p_bad bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_bad > 0 THEN 'dispute_lost' ELSE 'paid' END $$;

-- What a fact weighs (`weights.weight_e6`), without the standing of who caused it. Without a commission the value alone
-- bounds it. With `escrow_id` both count by the part of the escrow's credits that was paid for: those of a subscription
-- whose bill was given up were not. With `list_price` the commission counts by what was kept of it in money, after it bore
-- the discount of these credits (`ledger.payee_cost`).
CREATE OR REPLACE FUNCTION reputation_weight(p_about jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE
    v_value bigint := p_about ->> 'value_minor';
    v_commission bigint := p_about ->> 'commission_minor';
    v_payee bigint := v_value - v_commission;
    v_list jsonb := p_about -> 'list_price';
BEGIN
    IF p_about ->> 'escrow_id' IS NOT NULL THEN
        SELECT div(v_value::numeric * paid, whole), div(v_commission::numeric * kept, whole)
        INTO v_value, v_commission
        FROM (SELECT coalesce(sum(u.amount) FILTER (WHERE is_paid), 0) AS paid,
                  coalesce(sum(CASE WHEN l.paid_asset = v_list ->> 'asset' AND u.cost > 0 AND v_commission > 0
                      THEN least(u.amount, div(
                          u.amount * (u.cost - ledger.payee_cost(u.cost, u.amount, v_value, v_payee,
                              (v_list ->> 'credits')::bigint, (v_list ->> 'money')::bigint))::numeric * v_value,
                          u.cost::numeric * v_commission))
                      ELSE u.amount END) FILTER (WHERE is_paid), 0) AS kept,
                  coalesce(sum(u.amount), 1) AS whole
              FROM escrow_events v JOIN ledger.lot_uses u ON u.transfer_id = v.transfer_id
              JOIN ledger.lots l ON l.id = u.lot_id
              CROSS JOIN LATERAL (SELECT u.cost > 0 AND NOT EXISTS (
                  SELECT FROM subscription_grants g
                  JOIN subscription_bills b ON (b.subscription_id, b.bill_ref) = (g.subscription_id, g.bill_ref)
                  JOIN invoices i ON i.id = b.invoice_id AND i.status = 'uncollectible'
                  WHERE g.lot_id = type_id('lot', l.root_id) AND l.source IN ('subscription', 'refund')
              ) AS is_paid) p
              WHERE v.escrow_id = p_about ->> 'escrow_id' AND v.kind = 'funded') used;
    END IF;
    RETURN least(
        div(2000000::numeric * v_value, v_value + (p_about ->> 'typical_minor')::numeric),
        div(1000000::numeric * v_commission, (p_about ->> 'unit_commission_minor')::numeric));
END $$;

-- Has an agent's rows, locked and with what is seasoned up to date, and returns the day as of which an event counts: what
-- comes late counts as of the last night, and says so, so that it counts as of the same day ever after.
CREATE OR REPLACE FUNCTION reputation_open(p_agent text, p_day date, p_client text) RETURNS date
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_day date;
BEGIN
    PERFORM FROM reputation_agents WHERE agent_id = p_agent FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6)
        SELECT p_agent, p_day, array_fill(0::bigint, ARRAY[116]), 500000,
            div(sum(reputation_share(d) * reputation_lower(0, 0, p.newcomer_e6)), 10000)
        FROM unnest(ARRAY['task_success', 'response_time', 'reliability', 'collaboration', 'quality']) d,
             LATERAL reputation_prior(d, p_day) p
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6, prior_e6,
                through, stars_e6, rank_e6)
            SELECT p_agent, d, 0, 0, p_day, 0, 0, p.newcomer_e6, p_day, 500000, reputation_lower(0, 0, p.newcomer_e6)
            FROM unnest(ARRAY['task_success', 'response_time', 'reliability', 'collaboration', 'quality']) d,
                 LATERAL reputation_prior(d, p_day) p;
        ELSE
            PERFORM FROM reputation_agents WHERE agent_id = p_agent FOR UPDATE;
        END IF;
    END IF;
    v_day := greatest(p_day, (SELECT max(through) FROM reputation_scores WHERE agent_id = p_agent),
                      (SELECT through FROM reputation_clients WHERE org_id = p_client));
    -- Of whatever kind: what counts for nothing is passed as well, and not looked at again.
    IF EXISTS (SELECT FROM reputation_events
               WHERE agent_id = p_agent AND seasoned_on < v_day AND seasoned_on > coalesce(
                   (SELECT through FROM reputation_seasoned WHERE agent_id = p_agent), '-infinity')) THEN
        PERFORM reputation_season(p_agent, v_day - 1);
    END IF;
    RETURN v_day;
END $$;

-- Takes facts about one agent, each once by its source and key, and returns how many were new.
--
-- p_about: {agent_id, agent_org_id, counterparty_org_id, source, actor, at, escrow_id, value_minor, commission_minor,
--   bad_commission_minor, list_price, typical_minor, unit_commission_minor, weight_e6, exempt, seasons_days,
--   settles}. `settles` is the escrow whose money stands behind it. With `weight_e6` nothing is weighed. With `escrow_id`
--   the value and the commission count by the part of the escrow's credits that was paid for. `bad_commission_minor` is
--   the commission before a discount: it bounds what is bad of a dimension that is told more bad than good, and of the
--   client (`facts.increments`). `list_price` is that of credits where the commission bears their discount.
-- p_facts: [{id, kind, key, subject, note, says: [{dimension, share_e4, good_e4}], is_rated, client_good_e4,
--   client_bad_e4, is_end, is_success, response_ms}]. `is_rated` counts by the counterparty's standing.
-- Every statement below finds rows by keys, so its plan does not depend on values, and planning anew takes a sixth of it all.
CREATE OR REPLACE FUNCTION reputation_take(p_about jsonb, p_facts jsonb) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_agent text := p_about ->> 'agent_id';
    v_payee text := p_about ->> 'agent_org_id';
    v_payer text := p_about ->> 'counterparty_org_id';
    v_exempt text[] := ARRAY(SELECT jsonb_array_elements_text(p_about -> 'exempt'));
    v_at timestamptz := p_about ->> 'at';
    v_weight bigint := p_about ->> 'weight_e6';
    v_bad_weight bigint;
    v_day date := (v_at AT TIME ZONE 'UTC')::date;
    v_counterparty text;
    v_excluded text;
    v_is_declared boolean := false;
    v_standing bigint;
    v_recalled text;
    v_by_bank boolean := false;
    v_fact jsonb;
    v_good_weight bigint;
    v_taken integer := 0;
    e reputation_events;
BEGIN
    IF p_about ->> 'source' = 'operator' THEN
        -- Whoever has an operator's key can issue others, so all operators are one counterparty.
        v_counterparty := 'operators';
    END IF;
    IF v_payer IS NOT NULL THEN
        v_counterparty := reputation_counterparty(v_payer, v_exempt);
        v_excluded := reputation_excluded(v_payer, v_payee, v_exempt);
        IF v_excluded = 'related' AND reputation_declared(v_payer, v_payee, v_exempt) THEN
            v_is_declared := NOT reputation_stated_later(v_payer, v_payee, coalesce(
                (SELECT created_at FROM contracts WHERE id = 'ctr_' || substr(p_about ->> 'settles', 5)), v_at));
            v_excluded := NULL;
        END IF;
    END IF;
    -- Whoever takes the escrow's money back waits for this event, or this event sees that it is gone.
    IF p_about ->> 'settles' IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('reputation:' || (p_about ->> 'settles'), 0));
        SELECT payment_id, by_bank INTO v_recalled, v_by_bank FROM reputation_recalls
        WHERE escrow_id = p_about ->> 'settles' AND restored_at IS NULL ORDER BY by_bank DESC LIMIT 1;
    END IF;
    IF v_weight IS NULL AND v_excluded IS NULL THEN
        v_weight := reputation_weight(p_about);
        IF (p_about ->> 'bad_commission_minor')::bigint > (p_about ->> 'commission_minor')::bigint
           OR p_about ->> 'list_price' IS NOT NULL THEN
            v_bad_weight := reputation_weight((p_about - 'list_price') || jsonb_build_object(
                'commission_minor', coalesce(p_about -> 'bad_commission_minor', p_about -> 'commission_minor')));
        END IF;
        IF coalesce(v_bad_weight, v_weight) = 0 THEN
            v_excluded := 'unpaid';
        END IF;
    END IF;
    v_bad_weight := coalesce(v_bad_weight, v_weight);
    IF v_excluded IS NULL THEN
        IF v_by_bank IS NOT TRUE THEN
            v_day := reputation_open(v_agent, v_day, v_payer);
        END IF;
        v_standing := reputation_standing(v_payer);
    END IF;
    FOR v_fact IN SELECT value FROM jsonb_array_elements(p_facts) LOOP
        CONTINUE WHEN EXISTS (SELECT FROM reputation_events
                              WHERE source = p_about ->> 'source' AND key = v_fact ->> 'key');
        e := NULL;
        e.id := v_fact ->> 'id';
        e.agent_id := v_agent;
        e.agent_org_id := v_payee;
        e.counterparty_org_id := v_payer;
        e.counterparty := v_counterparty;
        e.kind := v_fact ->> 'kind';
        e.source := p_about ->> 'source';
        e.key := v_fact ->> 'key';
        e.subject := v_fact ->> 'subject';
        e.actor := p_about ->> 'actor';
        e.note := v_fact ->> 'note';
        e.excluded := v_excluded;
        IF v_excluded IS NULL AND v_is_declared AND NOT reputation_is_bad(v_fact) THEN
            e.excluded := 'related';
        END IF;
        IF e.excluded IS NULL AND v_weight = 0 AND NOT reputation_has_bad(v_fact) THEN
            e.excluded := 'unpaid';
        END IF;
        e.rater_e6 := CASE WHEN (v_fact ->> 'is_rated')::boolean THEN v_standing ELSE 1000000 END;
        e.rater_e6 := coalesce(e.rater_e6, 0);
        v_good_weight := CASE WHEN e.excluded IS NULL THEN v_weight * e.rater_e6 / 1000000 ELSE 0 END;
        e.weight_e6 := CASE WHEN e.excluded IS NULL AND v_bad_weight > v_weight AND reputation_has_bad(v_fact)
            THEN v_bad_weight * e.rater_e6 / 1000000 ELSE v_good_weight END;
        e.client_good_e6 := 0;
        e.client_bad_e6 := 0;
        IF e.excluded IS NULL THEN
            e.client_good_e6 := CASE WHEN v_is_declared THEN 0 ELSE
                v_weight * coalesce((v_fact ->> 'client_good_e4')::bigint, 0) / 10000 END;
            e.client_bad_e6 := v_bad_weight * coalesce((v_fact ->> 'client_bad_e4')::bigint, 0) / 10000;
        END IF;
        -- Work that pays no commission is no success, whatever becomes of it, and no failure either: of a discount that
        -- took all of it the success rate would count failures alone.
        e.is_success := NOT v_is_declared AND v_weight IS DISTINCT FROM 0
            AND coalesce((v_fact ->> 'is_success')::boolean, false);
        e.is_end := coalesce((v_fact ->> 'is_end')::boolean, false) AND v_weight IS DISTINCT FROM 0
            AND NOT (v_is_declared AND coalesce((v_fact ->> 'is_success')::boolean, false));
        e.response_ms := v_fact ->> 'response_ms';
        IF e.is_success AND e.excluded IS NULL THEN
            SELECT extract(epoch FROM max(at) FILTER (WHERE kind = 'delivered') - min(at) FILTER (WHERE kind = 'funded'))
            INTO e.delivery_seconds FROM escrow_events WHERE escrow_id = p_about ->> 'settles'
            HAVING count(*) FILTER (WHERE kind IN ('disputed', 'partially_refunded')) = 0;
        END IF;
        e.score_delta_e6 := 0;
        e.day := v_day;
        e.at := v_at;
        -- Bad news counts at once wherever it counts, and good news once the payer cannot take the money back.
        SELECT coalesce(jsonb_agg(jsonb_build_object('dimension', dimension, 'good_e6', good, 'bad_e6', bad,
                   'newcomer_e6', p.newcomer_e6, 'proven_e6', p.proven_e6) ORDER BY place), '[]'),
               v_day + CASE WHEN sum(good) < sum(bad) THEN 0
                            ELSE coalesce((p_about ->> 'seasons_days')::integer, 0) END
        INTO e.says, e.seasoned_on
        FROM jsonb_array_elements(v_fact -> 'says') WITH ORDINALITY said (value, place),
             LATERAL (SELECT value ->> 'dimension' AS dimension, (value ->> 'share_e4')::bigint AS share,
                             (value ->> 'good_e4')::bigint AS good_e4) each,
             LATERAL (SELECT v_good_weight * share / 10000 AS amount,
                             CASE WHEN 2 * good_e4 < 10000 THEN e.weight_e6 ELSE v_good_weight END * share / 10000
                                 AS bad_amount) weighed,
             LATERAL (SELECT CASE WHEN v_is_declared THEN 0 ELSE amount * good_e4 / 10000 END AS good,
                             bad_amount - bad_amount * good_e4 / 10000 AS bad) told,
             LATERAL reputation_prior(dimension, v_day) p
        WHERE good + bad > 0;
        -- `reputation_is_recalled`
        IF v_recalled IS NOT NULL AND (v_by_bank OR NOT reputation_was_bad(e.says, 0)) THEN
            e.voided_at := clock_timestamp();
            e.voided_by := reputation_cause(v_recalled);
            e.void_reason := 'The money behind it went back.';
        ELSIF e.excluded IS NULL THEN
            e := reputation_apply(e);
            IF e.client_good_e6 + e.client_bad_e6 > 0 THEN
                PERFORM reputation_apply_client(v_payer, e.day, reputation_client_kind(e.client_bad_e6),
                    e.client_good_e6, e.client_bad_e6);
            END IF;
        END IF;
        INSERT INTO reputation_events (id, agent_id, agent_org_id, counterparty_org_id, counterparty, kind, source, key,
            subject, actor, note, weight_e6, rater_e6, excluded, says, client_good_e6, client_bad_e6, is_end, is_success,
            response_ms, delivery_seconds, score_delta_e6, day, at, seasoned_on, voided_at, voided_by, void_reason)
        VALUES (e.id, e.agent_id, e.agent_org_id, e.counterparty_org_id, e.counterparty, e.kind, e.source, e.key,
            e.subject, e.actor, e.note, e.weight_e6, e.rater_e6, e.excluded, e.says, e.client_good_e6, e.client_bad_e6,
            e.is_end, e.is_success, e.response_ms, e.delivery_seconds, e.score_delta_e6, e.day, e.at,
            e.seasoned_on, e.voided_at, e.voided_by, e.void_reason);
        v_taken := v_taken + 1;
    END LOOP;
    RETURN v_taken;
END $$;

-- Writes the total of a counterparty that was made again, and of operators each one's own praise: {actor: {good_e6, since}}.
CREATE OR REPLACE FUNCTION reputation_give(g reputation_given, p_praised jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE reputation_given SET good_e6 = g.good_e6, bad_e6 = g.bad_e6, since = g.since
    WHERE agent_id = g.agent_id AND dimension = g.dimension AND counterparty = g.counterparty;
    INSERT INTO reputation_given
    SELECT g.agent_id, g.dimension, 'reporter:' || key, (value ->> 'good_e6')::bigint, 0, (value ->> 'since')::date
    FROM jsonb_each(p_praised)
    ON CONFLICT (agent_id, dimension, counterparty) DO UPDATE SET good_e6 = excluded.good_e6, since = excluded.since;
END $$;

-- Makes an agent's rows again from the events that remain, in their order, with the nights that were taken. One pass
-- bounds what each counterparty says, another one adds it up by dimension; neither writes before its end, because a row
-- that is written a thousand times in one transaction is slow to find.
CREATE OR REPLACE FUNCTION reputation_remake(p_agent text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_through date;
    v_powers bigint[] := ARRAY(SELECT factor_e12 FROM reputation_powers ORDER BY nights);
    v_turn date := reputation_turn();
    v_factor bigint;
    v_most bigint;
    v_good bigint;
    v_bad bigint;
    v_before_good bigint;
    v_before_bad bigint;
    v_own bigint;
    v_praised jsonb := '{}';
    v_prior bigint;
    r record;
    g reputation_given;
    s reputation_scores;
    v_seqs bigint[] := '{}';
    v_goods bigint[] := '{}';
    v_bads bigint[] := '{}';
    v_dimensions text[] := '{}';
BEGIN
    SELECT max(through) INTO v_through FROM reputation_scores WHERE agent_id = p_agent;
    UPDATE reputation_scores kept
    SET good_e6 = 0, bad_e6 = 0, since = a.started_on, held_e6 = 0, earned_e6 = 0, through = a.started_on,
        evidence_count = 0, evidence_e6 = 0, prior_e6 = (reputation_prior(kept.dimension, a.started_on)).newcomer_e6
    FROM reputation_agents a WHERE a.agent_id = p_agent AND kept.agent_id = p_agent;
    UPDATE reputation_given kept SET good_e6 = 0, bad_e6 = 0, since = a.started_on
    FROM reputation_agents a WHERE a.agent_id = p_agent AND kept.agent_id = p_agent;
    FOR r IN
        SELECT e.seq, e.day, e.source, e.counterparty, e.rater_e6, e.actor, value ->> 'dimension' AS dimension,
               (value ->> 'good_e6')::bigint AS good, (value ->> 'bad_e6')::bigint AS bad
        FROM reputation_events e, LATERAL jsonb_array_elements(e.says)
        WHERE e.agent_id = p_agent AND e.voided_at IS NULL AND e.excluded IS NULL
        ORDER BY dimension, e.counterparty, e.seq
    LOOP
        v_good := r.good;
        v_bad := r.bad;
        IF (g.dimension, g.counterparty) IS DISTINCT FROM (r.dimension, r.counterparty) THEN
            PERFORM reputation_give(g, v_praised);
            g := ROW (p_agent, r.dimension, r.counterparty, 0, 0, r.day);
            v_praised := '{}';
        END IF;
        IF r.day > g.since AND r.source = 'operator' THEN
            g.bad_e6 := reputation_faded_between(g.bad_e6, g.since, r.day);
        END IF;
        IF r.day > g.since AND g.since < v_turn THEN
            g.good_e6 := reputation_faded_between(g.good_e6, g.since, r.day);
            g.since := r.day;
        ELSIF r.day > g.since THEN
            v_factor := coalesce(v_powers[r.day - g.since + 1], 0);
            g.good_e6 := (g.good_e6 / 1000000 * v_factor + g.good_e6 % 1000000 * v_factor / 1000000) / 1000000;
            g.since := r.day;
        END IF;
        v_most := 3000000 * r.rater_e6 / 1000000;
        v_before_good := g.good_e6;
        v_before_bad := g.bad_e6;
        IF r.source = 'operator' THEN
            v_before_good := g.good_e6 + g.bad_e6;
            v_own := reputation_faded_between(coalesce((v_praised -> r.actor ->> 'good_e6')::bigint, 0),
                coalesce((v_praised -> r.actor ->> 'since')::date, r.day), r.day);
            v_before_bad := v_own + g.bad_e6;
            v_praised := v_praised || jsonb_build_object(r.actor, jsonb_build_object(
                'good_e6', v_own + reputation_left(v_good, v_before_bad, v_most),
                'since', greatest(r.day, (v_praised -> r.actor ->> 'since')::date)));
        END IF;
        v_good := CASE WHEN v_before_good < v_most THEN v_good * (v_most - v_before_good) / v_most ELSE 0 END;
        v_bad := CASE WHEN v_before_bad < v_most THEN v_bad * (v_most - v_before_bad) / v_most ELSE 0 END;
        g.good_e6 := g.good_e6 + v_good;
        g.bad_e6 := g.bad_e6 + v_bad;
        v_seqs := v_seqs || r.seq;
        v_dimensions := v_dimensions || r.dimension;
        v_goods := v_goods || v_good;
        v_bads := v_bads || v_bad;
    END LOOP;
    PERFORM reputation_give(g, v_praised);
    FOR r IN
        SELECT c.dimension, c.good, c.bad, e.day, newcomer, proven,
               sum(least(1000000, c.good + c.bad)) OVER (PARTITION BY c.dimension) AS heavy,
               row_number() OVER (PARTITION BY c.dimension ORDER BY c.seq DESC) = 1 AS is_last
        FROM unnest(v_seqs, v_dimensions, v_goods, v_bads) AS c (seq, dimension, good, bad)
        JOIN reputation_events e ON e.agent_id = p_agent AND e.seq = c.seq,
            LATERAL (SELECT (value ->> 'newcomer_e6')::bigint AS newcomer, (value ->> 'proven_e6')::bigint AS proven
                     FROM jsonb_array_elements(e.says) WHERE value ->> 'dimension' = c.dimension LIMIT 1) known
        ORDER BY c.dimension, c.seq
    LOOP
        IF s.dimension IS DISTINCT FROM r.dimension THEN
            SELECT * INTO STRICT s FROM reputation_scores WHERE agent_id = p_agent AND dimension = r.dimension;
        END IF;
        IF r.day > s.through THEN
            s.prior_e6 := least(s.prior_e6, CASE WHEN s.earned_e6 < 3000000 THEN r.newcomer ELSE r.proven END,
                reputation_lowest(s.dimension, s.through, r.day, s.earned_e6));
            s.through := r.day;
        END IF;
        IF s.through > s.since AND s.since < v_turn THEN
            s.good_e6 := reputation_faded_between(s.good_e6, s.since, s.through);
            s.bad_e6 := reputation_faded_between(s.bad_e6, s.since, s.through);
            s.since := s.through;
        ELSIF s.through > s.since THEN
            v_factor := coalesce(v_powers[s.through - s.since + 1], 0);
            s.good_e6 := (s.good_e6 / 1000000 * v_factor + s.good_e6 % 1000000 * v_factor / 1000000) / 1000000;
            s.bad_e6 := (s.bad_e6 / 1000000 * v_factor + s.bad_e6 % 1000000 * v_factor / 1000000) / 1000000;
            s.since := s.through;
        END IF;
        s.good_e6 := least(1000000000000, s.good_e6 + r.good);
        s.bad_e6 := least(1000000000000, s.bad_e6 + r.bad);
        s.held_e6 := least(1000000000000, greatest(s.bad_e6, s.held_e6 + r.bad - r.good));
        s.earned_e6 := least(1000000000000, s.earned_e6 + r.good);
        v_prior := CASE WHEN s.earned_e6 < 3000000 THEN r.newcomer ELSE r.proven END;
        s.prior_e6 := least(v_prior,
            s.prior_e6 + greatest(0, v_prior - s.prior_e6) * least(r.good, 1000000) / 1000000);
        s.evidence_count := s.evidence_count + 1;
        IF r.is_last THEN
            UPDATE reputation_scores
            SET good_e6 = s.good_e6, bad_e6 = s.bad_e6, since = s.since, held_e6 = s.held_e6, earned_e6 = s.earned_e6,
                prior_e6 = s.prior_e6, through = s.through, evidence_count = s.evidence_count, evidence_e6 = r.heavy,
                latest_on = r.day
            WHERE agent_id = p_agent AND dimension = s.dimension;
        END IF;
    END LOOP;
    UPDATE reputation_scores kept
    SET through = greatest(kept.through, v_through),
        prior_e6 = least(kept.prior_e6, reputation_lowest(kept.dimension, kept.through, v_through, kept.earned_e6))
    WHERE kept.agent_id = p_agent;
    -- Readers know the rate of now alone, so rows from before it are written as of its beginning.
    IF v_turn > '-infinity' THEN
        UPDATE reputation_given
        SET good_e6 = reputation_faded_between(good_e6, since, v_turn), since = v_turn,
            bad_e6 = CASE WHEN counterparty = 'operators' THEN reputation_faded_between(bad_e6, since, v_turn)
                          ELSE bad_e6 END
        WHERE agent_id = p_agent AND since < v_turn;
        UPDATE reputation_scores
        SET good_e6 = reputation_faded_between(good_e6, since, least(v_turn, through)),
            bad_e6 = reputation_faded_between(bad_e6, since, least(v_turn, through)), since = least(v_turn, through)
        WHERE agent_id = p_agent AND since < least(v_turn, through);
    END IF;
    UPDATE reputation_scores
    SET stars_e6 = reputation_mean(reputation_faded(good_e6, through - since), held_e6, 500000),
        rank_e6 = reputation_lower(reputation_faded(good_e6, through - since), held_e6, prior_e6)
    WHERE agent_id = p_agent;
    UPDATE reputation_agents a
    SET stars_e6 = o.stars_e6, rank_e6 = o.rank_e6, stale_at = NULL, latest_on = coalesce(n.latest_on, a.latest_on),
        evidence_count = n.counted, evidence_e6 = w.heavy, ended = n.ended,
        succeeded = n.succeeded, rated = n.rated, response_count = n.responses, response_total_ms = n.total_ms,
        response_buckets = ARRAY(
            SELECT count(b.bucket) FROM generate_series(1, 116) place
            LEFT JOIN (SELECT reputation_bucket(response_ms) AS bucket FROM reputation_events
                       WHERE agent_id = p_agent AND voided_at IS NULL AND excluded IS NULL AND response_ms IS NOT NULL) b
            ON b.bucket = place GROUP BY place ORDER BY place)
    FROM (SELECT div(sum(reputation_share(dimension) * stars_e6), 10000) AS stars_e6,
                 div(sum(reputation_share(dimension) * rank_e6), 10000) AS rank_e6
          FROM reputation_scores WHERE agent_id = p_agent) o,
         (SELECT count(*) AS counted, max(day) AS latest_on, count(*) FILTER (WHERE is_end) AS ended,
                 count(*) FILTER (WHERE is_success) AS succeeded,
                 count(*) FILTER (WHERE source = 'feedback') AS rated, count(response_ms) AS responses,
                 coalesce(sum(response_ms), 0) AS total_ms
          FROM reputation_events
          WHERE agent_id = p_agent AND voided_at IS NULL AND excluded IS NULL
            AND (says <> '[]' OR response_ms IS NOT NULL)) n,
         (SELECT coalesce(sum(least(1000000, heaviest)), 0) AS heavy
          FROM (SELECT max(good + bad) AS heaviest
                FROM unnest(v_seqs, v_goods, v_bads) AS c (seq, good, bad) GROUP BY seq) each) w
    WHERE a.agent_id = p_agent;
END $$;

-- Makes a client's row again, as `reputation_remake` makes an agent's. Both kinds of events are numbered together,
-- under the lock of the row.
CREATE OR REPLACE FUNCTION reputation_remake_client(p_org text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_powers bigint[] := ARRAY(SELECT factor_e12 FROM reputation_powers ORDER BY nights);
    v_turn date := reputation_turn();
    v_factor bigint;
    v_through date;
    v_counts jsonb := '{}';
    c reputation_clients;
    r record;
BEGIN
    SELECT * INTO c FROM reputation_clients WHERE org_id = p_org FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    v_through := c.through;
    c.good_e6 := 0;
    c.bad_e6 := 0;
    c.held_e6 := 0;
    c.since := least(
        (SELECT min(day) FROM reputation_events WHERE counterparty_org_id = p_org AND excluded IS NULL),
        (SELECT min(day) FROM reputation_client_events WHERE org_id = p_org));
    FOR r IN SELECT seq, day, reputation_client_kind(client_bad_e6) AS kind, client_good_e6 AS good, client_bad_e6 AS bad
             FROM reputation_events
             WHERE counterparty_org_id = p_org AND voided_at IS NULL AND client_good_e6 + client_bad_e6 > 0
             UNION ALL
             SELECT seq, day, kind, good_e6, bad_e6 FROM reputation_client_events WHERE org_id = p_org
             ORDER BY seq
    LOOP
        v_counts := v_counts || jsonb_build_object(r.kind, coalesce((v_counts ->> r.kind)::bigint, 0) + 1);
        IF r.day > c.since AND c.since < v_turn THEN
            c.good_e6 := reputation_faded_between(c.good_e6, c.since, r.day);
            c.bad_e6 := reputation_faded_between(c.bad_e6, c.since, r.day);
            c.since := r.day;
        ELSIF r.day > c.since THEN
            v_factor := coalesce(v_powers[r.day - c.since + 1], 0);
            c.good_e6 := (c.good_e6 / 1000000 * v_factor + c.good_e6 % 1000000 * v_factor / 1000000) / 1000000;
            c.bad_e6 := (c.bad_e6 / 1000000 * v_factor + c.bad_e6 % 1000000 * v_factor / 1000000) / 1000000;
            c.since := r.day;
        END IF;
        c.good_e6 := least(1000000000000, c.good_e6 + r.good);
        c.bad_e6 := least(1000000000000, c.bad_e6 + r.bad);
        c.held_e6 := least(1000000000000, greatest(c.bad_e6, c.held_e6 + r.bad - r.good));
    END LOOP;
    c.through := greatest(c.since, v_through);
    IF c.since < least(v_turn, c.through) THEN
        c.good_e6 := reputation_faded_between(c.good_e6, c.since, least(v_turn, c.through));
        c.bad_e6 := reputation_faded_between(c.bad_e6, c.since, least(v_turn, c.through));
        c.since := least(v_turn, c.through);
    END IF;
    UPDATE reputation_clients
    SET good_e6 = c.good_e6, bad_e6 = c.bad_e6, held_e6 = c.held_e6, since = c.since, through = c.through,
        counts = v_counts
    WHERE org_id = p_org;
    PERFORM reputation_reseason_client(p_org);
END $$;

-- Voids an event and makes what it counted in again; false when it was voided before.
CREATE OR REPLACE FUNCTION reputation_void(p_event text, p_by text, p_reason text, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    e reputation_events;
    v_is_stale boolean;
BEGIN
    SELECT * INTO STRICT e FROM reputation_events WHERE id = p_event;
    SELECT stale_at IS NOT NULL INTO v_is_stale FROM reputation_agents WHERE agent_id = e.agent_id FOR UPDATE;
    -- What a recall has voided would be given again: this decision is to hold whatever becomes of the money.
    UPDATE reputation_events SET voided_at = p_at, voided_by = p_by, void_reason = p_reason
    WHERE id = p_event AND (voided_at IS NULL OR voided_by ~ '^(payment|invoice):' AND NOT EXISTS (
        SELECT FROM reputation_events n WHERE n.source = e.source AND n.key = e.key || ':again'));
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF e.excluded IS NULL THEN
        PERFORM reputation_remake(e.agent_id);
        -- After it nothing says that the agent was stale, so what was voided before is left out of both rows here.
        PERFORM reputation_reseason(e.agent_id, CASE WHEN v_is_stale THEN '-infinity' ELSE e.seasoned_on END);
        IF e.client_good_e6 + e.client_bad_e6 > 0 THEN
            PERFORM reputation_remake_client(e.counterparty_org_id);
        END IF;
    END IF;
    RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION reputation_faded, reputation_faded_between, reputation_turn, reputation_mean, reputation_lower, reputation_left, reputation_bucket,
    reputation_share, reputation_prior, reputation_lowest, reputation_standing, reputation_counterparty, reputation_excluded,
    reputation_declared, reputation_stated_later,
    reputation_is_bad, reputation_has_bad, reputation_was_bad, reputation_open,
    reputation_apply, reputation_apply_client, reputation_client_kind, reputation_weight, reputation_take,
    reputation_give, reputation_remake, reputation_remake_client, reputation_void
TO bursar_platform;
