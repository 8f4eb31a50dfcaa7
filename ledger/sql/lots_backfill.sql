-- Fills lots from the entries that are in the books, once, by migration 0014. It goes through them in the order of their
-- time. What went out took lots in the order of spending, and what came in with it on another account took them along;
-- a grant or a purchase opened a lot of its terms; what came back of a payment with credits went back into what it was
-- paid from. Only what nothing explains becomes an adjustment.
DO $$
DECLARE
    step record;
    slice record;
    current_id uuid;
    leg integer := 0;
    missing bigint;
    part bigint;
    worth bigint;
    lot_ids uuid[] := '{}';
    amounts bigint[] := '{}';
    costs bigint[] := '{}';
    lacking jsonb := '{}';
    terms jsonb;
BEGIN
    FOR step IN
        SELECT n.*, t.kind, t.effective_at, coalesce(i.issued, 0) AS issued, coalesce(i.paid, 0) AS paid, i.paid_asset,
            l.source, l.expires_at, l.payment_id, a.path
        FROM (
            SELECT e.transfer_id, e.account_id, sum(e.amount)::bigint AS amount
            FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id WHERE a.lots
            GROUP BY e.transfer_id, e.account_id HAVING sum(e.amount) <> 0
        ) n
        JOIN ledger.transfers t ON t.id = n.transfer_id
        JOIN ledger.accounts a ON a.id = n.account_id
        LEFT JOIN public.credit_lots l ON l.transfer_id = n.transfer_id AND a.path = 'org/' || l.org_id || '/credits'
        LEFT JOIN LATERAL (
            SELECT sum(-e.amount) FILTER (WHERE p.path = 'platform/credit_issuance')::bigint AS issued,
                sum(e.amount) FILTER (WHERE p.path = 'platform/deferred_revenue' AND e.amount > 0)::bigint AS paid,
                min(e.asset) FILTER (WHERE p.path = 'platform/deferred_revenue' AND e.amount > 0) AS paid_asset
            FROM ledger.entries e JOIN ledger.accounts p ON p.id = e.account_id
            WHERE e.transfer_id = n.transfer_id
        ) i ON true
        ORDER BY n.transfer_id, n.amount > 0, n.account_id
    LOOP
        IF step.transfer_id IS DISTINCT FROM current_id THEN
            -- What nobody took along has left for good.
            INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome)
            SELECT current_id, leg + s.ord, s.lot_id, s.amount, s.cost, 'used'
            FROM unnest(lot_ids, amounts, costs) WITH ORDINALITY AS s (lot_id, amount, cost, ord) WHERE s.amount > 0;
            current_id := step.transfer_id;
            leg := 0;
            lot_ids := '{}';
            amounts := '{}';
            costs := '{}';
        END IF;
        missing := abs(step.amount);
        IF step.amount < 0 THEN
            FOR slice IN
                SELECT l.* FROM ledger.lots l WHERE l.account_id = step.account_id AND l.is_open
                ORDER BY (l.expires_at <= step.effective_at) IS TRUE, l.priority, l.expires_at, l.paid > 0, l.id
            LOOP
                EXIT WHEN missing = 0;
                part := least(missing, slice.remaining);
                worth := ledger.slice_cost(slice.paid, slice.costed, slice.amount,
                    slice.amount - slice.remaining + part);
                UPDATE ledger.lots l
                SET remaining = l.remaining - part, costed = l.costed + worth, is_open = l.remaining > part
                WHERE l.id = slice.id;
                lot_ids := lot_ids || slice.id;
                amounts := amounts || part;
                costs := costs || worth;
                missing := missing - part;
            END LOOP;
            -- Recorded before what it was paid from: what comes in next makes up for it.
            IF missing > 0 THEN
                lacking := lacking || jsonb_build_object(
                    step.account_id::text, coalesce((lacking ->> step.account_id::text)::bigint, 0) + missing
                );
            END IF;
            CONTINUE;
        END IF;
        part := least(missing, coalesce((lacking ->> step.account_id::text)::bigint, 0));
        IF part > 0 THEN
            missing := missing - part;
            lacking := lacking || jsonb_build_object(
                step.account_id::text, (lacking ->> step.account_id::text)::bigint - part
            );
        END IF;
        FOR number IN 1 .. cardinality(lot_ids) LOOP
            CONTINUE WHEN amounts[number] = 0;
            EXIT WHEN missing = 0;
            part := least(missing, amounts[number]);
            worth := ledger.slice_cost(costs[number], 0, amounts[number], part);
            leg := leg + 1;
            INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, to_lot, outcome)
            SELECT current_id, leg, l.id, part, worth,
                ledger.arrive(l, part, worth, step.account_id, current_id, step.effective_at, NULL), 'moved'
            FROM ledger.lots l WHERE l.id = lot_ids[number];
            amounts[number] := amounts[number] - part;
            costs[number] := costs[number] - worth;
            missing := missing - part;
        END LOOP;
        IF missing > 0 AND step.kind IN ('credit_payment_refund', 'use_refund') THEN
            FOR slice IN
                SELECT u.* FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
                WHERE l.account_id = step.account_id AND u.to_lot IS NULL AND u.returned < u.amount
                ORDER BY u.transfer_id DESC, u.leg DESC
            LOOP
                EXIT WHEN missing = 0;
                part := least(missing, slice.amount - slice.returned);
                worth := ledger.slice_cost(slice.cost, slice.cost_returned, slice.amount, slice.returned + part);
                UPDATE ledger.lot_uses u SET returned = u.returned + part, cost_returned = u.cost_returned + worth
                WHERE u.transfer_id = slice.transfer_id AND u.leg = slice.leg AND u.lot_id = slice.lot_id;
                UPDATE ledger.lots l SET remaining = l.remaining + part, costed = l.costed - worth, is_open = true
                WHERE l.id = slice.lot_id;
                missing := missing - part;
            END LOOP;
        END IF;
        IF missing > 0 THEN
            worth := CASE WHEN step.issued > 0 THEN div(step.paid::numeric * least(missing, step.issued), step.issued)
                ELSE 0 END;
            terms := jsonb_build_object(
                'source', coalesce(step.source, CASE WHEN step.paid > 0 THEN 'purchase' ELSE 'adjustment' END),
                'paid_asset', step.paid_asset, 'payment_id', coalesce(step.payment_id,
                    CASE WHEN step.path LIKE 'org/%/payments/%' THEN split_part(step.path, '/', 4) END)
            );
            PERFORM ledger.open_lot(step.account_id, missing, worth, current_id, step.effective_at, terms, step.expires_at);
        END IF;
    END LOOP;
    INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome)
    SELECT current_id, leg + s.ord, s.lot_id, s.amount, s.cost, 'used'
    FROM unnest(lot_ids, amounts, costs) WITH ORDINALITY AS s (lot_id, amount, cost, ord) WHERE s.amount > 0;

    FOR step IN
        SELECT h.id, h.account_id, h.amount FROM ledger.holds h JOIN ledger.accounts a ON a.id = h.account_id
        WHERE h.status = 'pending' AND a.lots ORDER BY h.held_at, h.id
    LOOP
        missing := step.amount;
        FOR slice IN
            SELECT l.id, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = step.account_id AND l.is_open AND l.remaining > l.held
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id
        LOOP
            EXIT WHEN missing = 0;
            part := least(missing, slice.free);
            UPDATE ledger.lots l SET held = l.held + part WHERE l.id = slice.id;
            INSERT INTO ledger.hold_lots (hold_id, lot_id, amount) VALUES (step.id, slice.id, part);
            missing := missing - part;
        END LOOP;
    END LOOP;
END
$$;
