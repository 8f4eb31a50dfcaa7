-- Amounts of escrows in the limits of their payer: held from the funding on, spent when paid out, and released when
-- refunded. The row of the organization's credits is the mutex, as for spends.

-- Counts an escrow that is about to be funded from credits, or refuses it and stores the refusal. The caller holds the
-- escrow's row, and moves the credits in the same transaction, on the terms p_lots. A refused command is decided again,
-- but only its first refusal is stored.
CREATE OR REPLACE FUNCTION ledger.count_escrow(
    p_org text, p_escrow text, p_command text, p_amount bigint, p_agent text, p_department text, p_project text,
    p_key_id text, p_principal text, p_at timestamptz, p_lots jsonb
) RETURNS ledger.spend_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := concat('escrow:', p_escrow, ':', p_command);
    windows ledger.limit_window[];
    refused ledger.limit_window;
    answer ledger.spend_answer;
    slices jsonb;
BEGIN
    answer.available := ledger.lock_credits(ledger.credits_of(p_org), p_at);
    answer.amount := p_amount;
    answer.at := p_at;
    answer.replayed := false;
    IF p_lots IS NOT NULL THEN
        slices := ledger.next_slices(ledger.credits_of(p_org), p_amount, p_lots, p_at);
    END IF;
    windows := ARRAY(SELECT l FROM ledger.limits_on(
        p_org, p_agent, p_department, p_project, NULL, p_key_id, p_amount, p_at, false, p_slices => slices,
        p_holds => true
    ) l);
    refused := ledger.refusing(windows);
    IF refused.reason IS NOT NULL THEN
        answer := ledger.refused_by(answer, refused);
        IF EXISTS (SELECT FROM ledger.refusals r WHERE r.idempotency_key = key) THEN
            RETURN answer;
        END IF;
        RETURN ledger.refuse_spend(
            answer, p_org, key, ledger.spend_hash('escrow', 'escrow.fund', 1, p_amount, p_agent, p_department,
                p_project, NULL),
            refused.starts_at, p_agent, p_department, p_project, NULL, p_key_id, p_principal, 'escrow.fund'
        );
    END IF;
    IF cardinality(windows) > 0 THEN
        windows := ledger.open_counters(p_org, windows);
        UPDATE ledger.counters n SET held = n.held + u.counts, uses_spent = n.uses_spent + 1
        FROM unnest(windows) u WHERE n.id = u.counter_id;
        INSERT INTO ledger.escrow_counts (escrow_id, org_id, agent_id, department_id, project_id, key_id, principal,
            amount, counted_in, counted, at, changed_at)
        SELECT p_escrow, p_org, p_agent, p_department, p_project, p_key_id, p_principal, p_amount,
            array_agg(u.counter_id), array_agg(u.counts), p_at, p_at
        FROM unnest(windows) u WHERE u.counter_id IS NOT NULL HAVING count(*) > 0;
    END IF;
    answer.status := 'reserved';
    RETURN answer;
END
$$;

-- The held amount of an escrow in a counter: its amount less its returned and spent parts, each by its share.
CREATE OR REPLACE FUNCTION ledger.escrow_holds(p_counted bigint, p_amount bigint, p_spent bigint, p_returned bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ledger.share_up(p_counted, p_amount - p_returned, p_amount) - ledger.share_up(p_counted, p_spent, p_amount);

-- Moves an escrow's counted amount from held to spent, and out of held, to its paid-out and refunded totals. An escrow
-- that ends without a payout does not count as a use. The caller holds the escrow's row and the payer's credits.
CREATE OR REPLACE FUNCTION ledger.count_escrow_moved(
    p_escrow text, p_spent bigint, p_returned bigint, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was ledger.escrow_counts;
BEGIN
    SELECT * INTO was FROM ledger.escrow_counts c WHERE c.escrow_id = p_escrow;
    UPDATE ledger.counters n SET
        held = n.held + ledger.escrow_holds(u.counted, was.amount, p_spent, p_returned)
            - ledger.escrow_holds(u.counted, was.amount, was.spent, was.returned),
        spent = n.spent + ledger.share_up(u.counted, p_spent, was.amount)
            - ledger.share_up(u.counted, was.spent, was.amount),
        uses_spent = n.uses_spent - CASE WHEN p_returned = was.amount AND was.returned < was.amount THEN 1 ELSE 0 END
    FROM unnest(was.counted_in, was.counted) AS u (id, counted) WHERE n.id = u.id;
    UPDATE ledger.escrow_counts c SET spent = p_spent, returned = p_returned, changed_at = p_at
    WHERE c.escrow_id = p_escrow;
END
$$;

GRANT EXECUTE ON FUNCTION ledger.count_escrow, ledger.count_escrow_moved, ledger.escrow_holds TO bursar_platform;
