-- Escrows whose money went back to its payer: what they said of anybody is void for as long as it stays there. Locks
-- come in this order: escrows by id, agents by id, clients; all after those of the books.

-- Which escrows of its payer the credits of a payment went to, the last one first, and how many stayed there or were paid
-- from there: what came back may have gone to any of them again. What a creator earned by one and paid with is its own.
CREATE OR REPLACE FUNCTION reputation_funded(p_payment text) RETURNS TABLE (escrow_id text, goods_minor bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT e.id, div(sum(l.amount) * (e.funded_minor - e.refunded_minor), e.funded_minor)::bigint
    FROM payments p
    JOIN ledger.lots l ON l.payment_id = p.id AND l.parent_id IS NOT NULL
    JOIN ledger.accounts a ON a.id = l.account_id AND a.path LIKE 'escrow/%'
    JOIN escrows e ON e.id = substr(a.path, 8) AND e.org_id = p.org_id AND e.funded_minor > 0
    WHERE p.id = p_payment
    GROUP BY e.id ORDER BY (array_agg(l.id ORDER BY l.id DESC))[1] DESC
$$;

-- Which escrows others paid for with credits of a payment that they had earned, by payer and payee, the oldest first. Lots keep
-- their payment wherever they go, so that this is one look by an index, however many hands it went through.
CREATE OR REPLACE FUNCTION reputation_passed_on(p_payment text) RETURNS TABLE (escrow_id text, payer text, payee text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT e.id, e.org_id, e.payee_org_id
    FROM payments p
    JOIN ledger.lots l ON l.payment_id = p.id AND l.parent_id IS NOT NULL
    JOIN ledger.accounts a ON a.id = l.account_id AND a.path LIKE 'escrow/%'
    JOIN escrows e ON e.id = substr(a.path, 8) AND e.org_id <> p.org_id AND e.funded_minor > e.refunded_minor
    WHERE p.id = p_payment
    GROUP BY e.id ORDER BY (array_agg(l.id ORDER BY l.id))[1]
$$;

-- The same of the credits that the bill of a subscription granted, by their lots. Nobody has to have paid it.
CREATE OR REPLACE FUNCTION reputation_billed(p_org text, p_lots uuid[]) RETURNS TABLE (escrow_id text, goods_minor bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT e.id, div(sum(l.amount) * (e.funded_minor - e.refunded_minor), e.funded_minor)::bigint
    FROM ledger.lots l
    JOIN ledger.accounts a ON a.id = l.account_id AND a.path LIKE 'escrow/%'
    JOIN escrows e ON e.id = substr(a.path, 8) AND e.org_id = p_org AND e.funded_minor > 0
    WHERE l.root_id = ANY (p_lots) AND l.parent_id IS NOT NULL AND l.source IN ('subscription', 'refund')
    GROUP BY e.id ORDER BY (array_agg(l.id ORDER BY l.id DESC))[1] DESC
$$;

-- The same of a payment in money, without lots. What the payer has in a currency is one purse: the escrow that the payment was
-- made for comes first, then those that the purse funded last and no other payment recalls.
CREATE OR REPLACE FUNCTION reputation_purse(p_payment text) RETURNS TABLE (escrow_id text, goods_minor bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT e.id, div(sum(f.amount) * (e.funded_minor - e.refunded_minor), e.funded_minor)::bigint
    FROM payments p
    JOIN ledger.accounts c ON c.asset = p.currency AND c.path IN (
        'org/' || p.org_id || '/cash/' || p.currency, 'org/' || p.org_id || '/payments/' || p.id)
    CROSS JOIN LATERAL (
        SELECT transfer_id, version FROM ledger.entries
        WHERE account_id = c.id AND amount < 0 ORDER BY version DESC LIMIT 10000
    ) n
    JOIN ledger.entries f ON f.transfer_id = n.transfer_id AND f.amount > 0
    JOIN ledger.accounts a ON a.id = f.account_id AND a.path LIKE 'escrow/%'
    JOIN escrows e ON e.id = substr(a.path, 8) AND e.org_id = p.org_id AND e.funded_minor > 0
    WHERE p.id = p_payment
        -- Credits that were bought for an escrow have lots.
        AND (p.purpose = 'balance' OR p.purpose = 'escrow' AND EXISTS (
            SELECT FROM escrows o WHERE o.id = p.escrow_id AND o.currency = p.currency))
        AND NOT EXISTS (
            SELECT FROM reputation_recalls r
            WHERE r.escrow_id = e.id AND r.payment_id <> p.id AND r.restored_at IS NULL)
    GROUP BY e.id, p.escrow_id
    ORDER BY e.id IS NOT DISTINCT FROM p.escrow_id DESC, max(n.version) DESC
$$;

-- Who voids what an escrow said: the payment or the invoice of the bill whose money went back.
CREATE OR REPLACE FUNCTION reputation_cause(p_id text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_id LIKE 'inv\_%' THEN 'invoice:' ELSE 'payment:' END || p_id $$;

-- Whether what was said of an escrow is void, because its money went back: all of it where a bank or a chain took the money,
-- and otherwise what is not mostly bad. Whoever gives money back for bad work has done bad work.
CREATE OR REPLACE FUNCTION reputation_is_recalled(p_escrow text, p_says jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM reputation_recalls
        WHERE escrow_id = p_escrow AND restored_at IS NULL AND (by_bank OR NOT reputation_was_bad(p_says, 0)));
END $$;

-- Has exactly these escrows recalled for a payment, or for the bill of a subscription, by its invoice. What they said is
-- voided and its agents are marked as stale, for `reputation_refresh`. Returns the escrows of which something may be given
-- again: their money is all there again, or no bank has it any more.
CREATE OR REPLACE FUNCTION reputation_recall(p_payment text, p_escrows text[], p_by_bank boolean DEFAULT true) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    v_gone text[];
    v_back text[];
    v_other text[];
    v_subjects text[];
    v_escrow text;
    v_org text;
BEGIN
    v_gone := ARRAY(SELECT unnest(p_escrows) EXCEPT SELECT escrow_id FROM reputation_recalls
                    WHERE payment_id = p_payment AND restored_at IS NULL ORDER BY 1);
    v_back := ARRAY(SELECT escrow_id FROM reputation_recalls WHERE payment_id = p_payment AND restored_at IS NULL
                    EXCEPT SELECT unnest(p_escrows) ORDER BY 1);
    v_other := ARRAY(SELECT escrow_id FROM reputation_recalls
                     WHERE payment_id = p_payment AND escrow_id = ANY (p_escrows) AND restored_at IS NULL
                         AND by_bank <> p_by_bank ORDER BY 1);
    FOR v_escrow IN SELECT unnest(v_gone || v_back || v_other) ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('reputation:' || v_escrow, 0));
    END LOOP;
    INSERT INTO reputation_recalls AS r (escrow_id, payment_id, by_bank)
    SELECT unnest(v_gone || v_other), p_payment, p_by_bank
    ON CONFLICT (escrow_id, payment_id) DO UPDATE
    SET recalled_at = EXCLUDED.recalled_at, by_bank = EXCLUDED.by_bank, restored_at = NULL;
    UPDATE reputation_recalls SET restored_at = clock_timestamp() WHERE payment_id = p_payment AND escrow_id = ANY (v_back);
    PERFORM FROM reputation_agents
    WHERE agent_id IN (SELECT agent_id FROM escrows WHERE id = ANY (v_gone || v_back || v_other))
    ORDER BY agent_id FOR UPDATE;
    IF p_by_bank THEN
        v_gone := v_gone || v_other;
    ELSE
        v_back := v_back || v_other;
    END IF;
    IF cardinality(v_gone) > 0 THEN
        v_subjects := v_gone || ARRAY(SELECT contract_id FROM escrows WHERE id = ANY (v_gone));
        WITH voided AS (
            UPDATE reputation_events
            SET voided_at = clock_timestamp(), voided_by = reputation_cause(p_payment),
                void_reason = 'The money behind it went back.'
            WHERE subject = ANY (v_subjects) AND source IN ('escrow', 'feedback') AND voided_at IS NULL
                AND (p_by_bank OR NOT reputation_was_bad(says, 0))
            RETURNING agent_id, excluded
        )
        UPDATE reputation_agents SET stale_at = coalesce(stale_at, clock_timestamp())
        WHERE agent_id IN (SELECT agent_id FROM voided WHERE excluded IS NULL);
        FOR v_org IN SELECT DISTINCT org_id FROM escrows WHERE id = ANY (v_gone) ORDER BY 1 LOOP
            PERFORM reputation_remake_client(v_org);
        END LOOP;
    END IF;
    RETURN v_back;
END $$;

-- The events of escrows that a recall has voided, that no other one keeps void, and that were not given again.
CREATE OR REPLACE FUNCTION reputation_recalled(p_escrows text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN QUERY SELECT e.id FROM reputation_events e
    WHERE e.subject = ANY (p_escrows || ARRAY(SELECT contract_id FROM escrows WHERE id = ANY (p_escrows)))
      AND e.voided_by ~ '^(payment|invoice):'
      AND NOT reputation_is_recalled('esc_' || substr(e.subject, 5), e.says)
      AND NOT EXISTS (SELECT FROM reputation_events n WHERE n.source = e.source AND n.key = e.key || ':again')
      AND (e.source <> 'feedback' OR EXISTS (SELECT FROM reputation_feedback f WHERE f.event_id = e.id))
    ORDER BY e.agent_id, e.seq;
END $$;

-- Gives an event again under another id, with what is left of it by now: good evidence has faded meanwhile. False when
-- that was done before, and when the two were found to be related while the money was away: nobody judged what was void.
CREATE OR REPLACE FUNCTION reputation_give_again(p_event text, p_id text, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    e reputation_events;
    v_day date;
    v_traits text[] := ARRAY['*'];
BEGIN
    SELECT * INTO STRICT e FROM reputation_events WHERE id = p_event;
    IF EXISTS (SELECT FROM reputation_events WHERE source = e.source AND key = e.key || ':again') THEN
        RETURN false;
    END IF;
    -- By what they share alone, as the night judges: who registered them was known when the event was taken.
    IF e.excluded IS NULL AND reputation_excluded(e.counterparty_org_id, e.agent_org_id, v_traits) IS NOT NULL
        AND NOT reputation_declared(e.counterparty_org_id, e.agent_org_id, v_traits) THEN
        RETURN false;
    END IF;
    v_day := e.day;
    IF e.excluded IS NULL THEN
        -- Where nobody made the scores again since the recall, the event is still in them.
        PERFORM reputation_refresh(e.agent_id);
        v_day := reputation_open(e.agent_id, (p_at AT TIME ZONE 'UTC')::date, e.counterparty_org_id);
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'dimension', value ->> 'dimension', 'bad_e6', (value ->> 'bad_e6')::bigint,
        'good_e6', reputation_faded_between((value ->> 'good_e6')::bigint, e.day, v_day),
        'newcomer_e6', p.newcomer_e6, 'proven_e6', p.proven_e6) ORDER BY place), '[]')
    INTO e.says
    FROM jsonb_array_elements(e.says) WITH ORDINALITY said (value, place),
         LATERAL reputation_prior(value ->> 'dimension', v_day) p;
    e.id := p_id;
    e.key := e.key || ':again';
    e.client_good_e6 := reputation_faded_between(e.client_good_e6, e.day, v_day);
    e.score_delta_e6 := 0;
    e.seasoned_on := greatest(e.seasoned_on, v_day);
    e.day := v_day;
    IF e.excluded IS NULL THEN
        e := reputation_apply(e);
        IF e.client_good_e6 + e.client_bad_e6 > 0 THEN
            PERFORM reputation_apply_client(e.counterparty_org_id, e.day, reputation_client_kind(e.client_bad_e6),
                e.client_good_e6, e.client_bad_e6);
        END IF;
    END IF;
    INSERT INTO reputation_events (id, agent_id, agent_org_id, counterparty_org_id, counterparty, kind, source, key,
        subject, actor, note, weight_e6, rater_e6, excluded, says, client_good_e6, client_bad_e6, is_end, is_success,
        response_ms, delivery_seconds, score_delta_e6, day, at, seasoned_on)
    VALUES (e.id, e.agent_id, e.agent_org_id, e.counterparty_org_id, e.counterparty, e.kind, e.source, e.key,
        e.subject, e.actor, e.note, e.weight_e6, e.rater_e6, e.excluded, e.says, e.client_good_e6, e.client_bad_e6,
        e.is_end, e.is_success, e.response_ms, e.delivery_seconds, e.score_delta_e6, e.day, e.at, e.seasoned_on);
    UPDATE reputation_feedback SET event_id = p_id WHERE event_id = p_event;
    RETURN true;
END $$;

-- Makes a stale agent's rows again; false when they are not stale.
CREATE OR REPLACE FUNCTION reputation_refresh(p_agent text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM FROM reputation_agents WHERE agent_id = p_agent AND stale_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM reputation_remake(p_agent);
    PERFORM reputation_reseason(p_agent, (SELECT through FROM reputation_seasoned WHERE agent_id = p_agent));
    RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION reputation_funded, reputation_passed_on, reputation_billed, reputation_purse, reputation_cause, reputation_is_recalled,
    reputation_recall, reputation_recalled, reputation_give_again, reputation_refresh TO bursar_platform;
