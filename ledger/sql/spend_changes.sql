-- Changes of spends: captures, releases, extensions, refunds, and the expiry of reservations.
--
-- A reservation's row changes only under its hold and then the organization's mutex, any other spend under the mutex.
-- So the row is stable for a holder of both locks, and the sweep of holds takes them in the same order.

-- The key of a change, which begins with its kind and the organization. BU004: there is none.
CREATE OR REPLACE FUNCTION ledger.change_key(p_kind text, p_org text, p_key text) RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    IF (p_org IS NOT NULL AND length(p_key) BETWEEN 1 AND 255) IS NOT TRUE THEN
        RAISE EXCEPTION 'a change of a spend has an organization and a key' USING ERRCODE = 'BU004';
    END IF;
    RETURN concat(p_kind, ':', p_org, ':', p_key);
END
$$;

-- Locks the hold of a spend, if it has one. BU010: there is no such spend.
CREATE OR REPLACE FUNCTION ledger.lock_reservation(p_org text, p_spend uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid;
    locked uuid;
BEGIN
    LOOP
        SELECT s.hold_id INTO wanted FROM ledger.spends s WHERE s.org_id = p_org AND s.id = p_spend;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no spend %', p_spend USING ERRCODE = 'BU010';
        END IF;
        -- The hold was replaced while we waited for it: its successor is locked as well, whose id is higher.
        EXIT WHEN wanted IS NOT DISTINCT FROM locked;
        PERFORM FROM ledger.holds h WHERE h.id = wanted FOR NO KEY UPDATE;
        locked := wanted;
    END LOOP;
END
$$;

-- Locks a spend for a change: its hold, if it has one, then the organization's mutex, and the balance of its debts if
-- given. BU010: there is no such spend.
CREATE OR REPLACE FUNCTION ledger.lock_spend(p_org text, p_spend uuid, p_debts bigint DEFAULT NULL)
RETURNS ledger.spends
LANGUAGE plpgsql
AS $$
DECLARE
    spent ledger.spends;
BEGIN
    PERFORM ledger.lock_reservation(p_org, p_spend);
    PERFORM ledger.lock_balances(ARRAY[ledger.credits_of(p_org), p_debts]);
    SELECT * INTO STRICT spent FROM ledger.spends s WHERE s.org_id = p_org AND s.id = p_spend;
    RETURN spent;
END
$$;

-- The earlier result of a change's key, or NULL. BU002: the key was used for another request.
CREATE OR REPLACE FUNCTION ledger.change_again(p_key text, p_hash bytea) RETURNS ledger.change_answer
LANGUAGE plpgsql
AS $$
DECLARE
    known ledger.spend_changes;
BEGIN
    SELECT * INTO known FROM ledger.spend_changes c WHERE c.idempotency_key = p_key;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF known.request_hash <> p_hash THEN
        RAISE EXCEPTION 'key % stands for another change of a spend', p_key USING ERRCODE = 'BU002';
    END IF;
    RETURN ROW(known.status, known.spend_id, known.amount, known.captured, known.released, known.refunded, known.held,
        known.available, known.transfer_id, known.at, known.held_until, true)::ledger.change_answer;
END
$$;

-- Raises BU003 or BU005 unless the reservation is open and, with `p_strict`, not expired.
CREATE OR REPLACE FUNCTION ledger.require_open(p_spent ledger.spends, p_at timestamptz, p_strict boolean) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF p_spent.status = 'expired' OR p_strict AND p_spent.status = 'reserved' AND p_spent.held_until <= p_at THEN
        RAISE EXCEPTION 'reservation % expired at %', p_spent.id, p_spent.held_until USING ERRCODE = 'BU005';
    ELSIF p_spent.status <> 'reserved' THEN
        RAISE EXCEPTION 'spend % is %', p_spent.id, p_spent.status USING ERRCODE = 'BU003';
    END IF;
END
$$;

-- The refunded part of a counted amount. A full refund is the full counted amount, regardless of rounding.
CREATE OR REPLACE FUNCTION ledger.share_returned(p_counted bigint, p_spent ledger.spends) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (p_spent).refunded = (p_spent).captured
    THEN ledger.share_up(p_counted, (p_spent).captured, (p_spent).amount)
    ELSE ledger.share_down(p_counted, (p_spent).refunded, (p_spent).amount) END;

-- The counted amounts of an ending reservation, so that in windows in money its captured share is the price of the
-- captured lots, which may differ from that of the other lots that it held.
CREATE OR REPLACE FUNCTION ledger.counted_at_end(p_spent ledger.spends) RETURNS bigint[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    pinned jsonb;
    taken jsonb;
BEGIN
    IF p_spent.captured = 0 OR p_spent.captured = p_spent.amount OR p_spent.amount = ALL (p_spent.counted) THEN
        RETURN p_spent.counted;
    END IF;
    SELECT jsonb_agg(jsonb_build_object('id', p.lot_id, 'amount', p.amount)) INTO pinned
    FROM ledger.holds h JOIN ledger.hold_lots p ON p.hold_id = h.id WHERE h.idempotency_key = p_spent.idempotency_key;
    SELECT jsonb_agg(jsonb_build_object('id', u.lot_id, 'amount', u.amount)) INTO taken
    FROM ledger.transfers t JOIN ledger.lot_uses u ON u.transfer_id = t.id
    WHERE t.reference = p_spent.id::text AND t.hold_id IS NOT NULL;
    RETURN ARRAY(
        SELECT CASE WHEN share.counts IS NULL THEN u.counted
            ELSE least(floor(share.counts * p_spent.amount / p_spent.captured), 4e18)::bigint END
        FROM unnest(p_spent.counted_in, p_spent.counted) WITH ORDINALITY AS u (id, counted, ord)
        JOIN ledger.counters n ON n.id = u.id JOIN ledger.controls c ON c.id = n.control_id
        LEFT JOIN LATERAL (
            -- Rounding up beyond a cost does not count as a further minor unit.
            SELECT ceil(round(u.counted * ledger.slices_worth(taken, c.asset, p_spent.at)
                / nullif(ledger.slices_worth(pinned, c.asset, p_spent.at), 0), 3)) AS counts
        ) share ON c.asset <> 'CREDIT'
        ORDER BY u.ord
    );
END
$$;

-- Moves the captured part of a spend's counted amount from held to spent, and the rest out of held when the reservation
-- ends. A reservation that ends without a capture does not count as a use.
CREATE OR REPLACE FUNCTION ledger.count_captured(p_before ledger.spends, p_after ledger.spends) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    counting bigint[] := p_before.counted;
BEGIN
    IF p_after.status <> 'reserved' THEN
        counting := ledger.counted_at_end(p_after);
    END IF;
    UPDATE ledger.counters n SET
        spent = n.spent + share.after - share.before,
        held = n.held + share.before - CASE WHEN p_after.status = 'reserved' THEN share.after ELSE u.counted END,
        refunded = n.refunded + share.returned,
        uses_spent = n.uses_spent - CASE WHEN p_after.status IN ('released', 'expired') THEN 1 ELSE 0 END
    FROM unnest(p_before.counted_in, p_before.counted, counting) AS u (id, counted, counts), LATERAL (
        SELECT ledger.share_up(u.counted, p_before.captured, p_before.amount) AS before,
            ledger.share_up(u.counts, p_after.captured, p_before.amount) AS after,
            ledger.share_returned(u.counts, p_after) - ledger.share_returned(u.counted, p_before) AS returned
    ) share
    WHERE n.id = u.id;
    IF counting <> p_before.counted THEN
        UPDATE ledger.spends s SET counted = counting
        WHERE s.org_id = p_before.org_id AND s.id = p_before.id;
    END IF;
END
$$;

-- Credits a refund to the windows in which the spend counted.
CREATE OR REPLACE FUNCTION ledger.count_refunded(p_before ledger.spends, p_after ledger.spends) RETURNS void
LANGUAGE sql
AS $$
    UPDATE ledger.counters n SET refunded = n.refunded
        + ledger.share_returned(u.counted, p_after) - ledger.share_returned(u.counted, p_before)
    FROM unnest(p_before.counted_in, p_before.counted) AS u (id, counted) WHERE n.id = u.id
$$;

-- Writes a change and the changed spend, and returns the result.
CREATE OR REPLACE FUNCTION ledger.note_change(
    p_kind text, p_key text, p_hash bytea, p_amount bigint, p_transfer uuid, p_spent ledger.spends, p_at timestamptz
) RETURNS ledger.change_answer
LANGUAGE plpgsql
AS $$
DECLARE
    held bigint := p_spent.amount - p_spent.captured - p_spent.released;
    free bigint := ledger.lock_credits(ledger.credits_of(p_spent.org_id), p_at);
BEGIN
    UPDATE ledger.spends s SET
        status = p_spent.status, hold_id = p_spent.hold_id, captured = p_spent.captured, released = p_spent.released,
        refunded = p_spent.refunded, held_until = p_spent.held_until
    WHERE s.org_id = p_spent.org_id AND s.id = p_spent.id;
    INSERT INTO ledger.spend_changes (
        org_id, spend_id, kind, idempotency_key, request_hash, amount, transfer_id, status, captured, released, refunded,
        held, available, held_until, at
    ) VALUES (
        p_spent.org_id, p_spent.id, p_kind, p_key, p_hash, p_amount, p_transfer, p_spent.status, p_spent.captured,
        p_spent.released, p_spent.refunded, held, free, p_spent.held_until, p_at
    );
    RETURN ROW(p_spent.status, p_spent.id, p_amount, p_spent.captured, p_spent.released, p_spent.refunded, held, free,
        p_transfer, p_at, p_spent.held_until, false)::ledger.change_answer;
END
$$;

-- The status of a reservation that ends without a further capture; `p_else` if there was none.
CREATE OR REPLACE FUNCTION ledger.ended_as(p_spent ledger.spends, p_else text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (p_spent).captured = 0 THEN p_else WHEN (p_spent).refunded = (p_spent).captured THEN 'refunded'
    ELSE 'captured' END;

-- Captures an amount of a reservation, or with NULL all of it, or with p_cost the held credits that pay this cost, at
-- most all of them. Granted credits pay up to p_granted of such costs in a month, or with NULL without a limit. The
-- rest is released, or with `p_more` stays held by a successor of the hold. The amount is posted to p_account, which
-- belongs to another owner. BU003: the reservation has ended. BU005: it expired.
CREATE OR REPLACE FUNCTION ledger.settle_to(
    p_org text, p_key text, p_spend uuid, p_amount bigint, p_more boolean, p_account bigint, p_at timestamptz,
    p_cost numeric DEFAULT NULL, p_cost_in text DEFAULT NULL, p_granted bigint DEFAULT NULL
) RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := ledger.change_key('capture', p_org, p_key);
    hash bytea := sha256(convert_to(concat(
        ROW(p_spend, p_amount, coalesce(p_more, false)), trim_scale(p_cost), p_cost_in), 'UTF8'));
    before ledger.spends := ledger.lock_spend(p_org, p_spend);
    after ledger.spends := before;
    held bigint := before.amount - before.captured - before.released;
    captured bigint := coalesce(p_amount, held);
    taken record;
    slices jsonb;
    transfer uuid;
    answer ledger.change_answer := ledger.change_again(key, hash);
BEGIN
    IF answer.replayed THEN
        RETURN answer;
    END IF;
    PERFORM ledger.require_open(before, p_at, true);
    IF p_cost IS NOT NULL THEN
        taken := ledger.lots_for(NULL, p_cost, p_cost_in, CASE WHEN p_granted IS NULL THEN p_cost
            ELSE coalesce(ledger.granted_room(p_org, p_granted, p_cost_in, p_at), 0) END, p_at, true, 0, before.hold_id);
        captured := taken.amount;
        IF NOT taken.is_plain AND p_more IS NOT TRUE THEN
            slices := jsonb_build_object('slices', taken.slices);
        END IF;
        IF p_granted IS NOT NULL AND taken.granted > 0 THEN
            PERFORM ledger.count_granted(p_org, taken.granted, p_at);
        END IF;
    END IF;
    IF ((captured > 0 OR before.amount = 0 OR p_cost >= 0) AND captured <= held AND p_at IS NOT NULL) IS NOT TRUE THEN
        RAISE EXCEPTION 'of reservation % more than zero and at most % can be captured', p_spend, held
            USING ERRCODE = 'BU004', DETAIL = jsonb_build_object('held', held)::text;
    END IF;
    IF captured = 0 THEN
        PERFORM ledger.void_hold(key, before.hold_id, p_at);
    ELSE
        SELECT t.transfer_id INTO transfer FROM ledger.capture_hold(
            key, before.hold_id, captured, p_account, p_at, 'use', p_spend::text, p_org, NULL, slices
        ) t;
    END IF;
    after.captured := before.captured + captured;
    IF p_more AND captured < held THEN
        SELECT h.hold_id INTO after.hold_id FROM ledger.hold(
            key, ledger.credits_of(p_org), held - captured, before.held_until, p_spend::text, p_at, NULL,
            jsonb_build_object('pins_of', before.hold_id)
        ) h;
    ELSE
        after.status := CASE WHEN before.amount > 0 THEN ledger.ended_as(after, 'released') ELSE 'captured' END;
        after.released := held - captured;
    END IF;
    PERFORM ledger.count_captured(before, after);
    RETURN ledger.note_change('capture', key, hash, captured, transfer, after, p_at);
END
$$;

-- Captures what is used up: `ledger.settle_to` the account of credits that were used.
CREATE OR REPLACE FUNCTION ledger.settle_at(
    p_org text, p_key text, p_spend uuid, p_amount bigint, p_more boolean, p_at timestamptz,
    p_cost numeric DEFAULT NULL, p_cost_in text DEFAULT NULL, p_granted bigint DEFAULT NULL
) RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ledger.settle_to(
        p_org, p_key, p_spend, p_amount, p_more, ledger.redemption(), p_at, p_cost, p_cost_in, p_granted
    );
END
$$;

-- Releases the held rest of a reservation, even of an expired one that was not swept yet.
CREATE OR REPLACE FUNCTION ledger.release_at(p_org text, p_key text, p_spend uuid, p_at timestamptz)
RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := ledger.change_key('release', p_org, p_key);
    hash bytea := sha256(convert_to(p_spend::text, 'UTF8'));
    before ledger.spends := ledger.lock_spend(p_org, p_spend);
    after ledger.spends := before;
    answer ledger.change_answer := ledger.change_again(key, hash);
BEGIN
    IF answer.replayed THEN
        RETURN answer;
    END IF;
    PERFORM ledger.require_open(before, p_at, false);
    PERFORM ledger.void_hold(key, before.hold_id, p_at);
    after.released := before.amount - before.captured;
    after.status := ledger.ended_as(before, 'released');
    PERFORM ledger.count_captured(before, after);
    RETURN ledger.note_change('release', key, hash, after.released, NULL, after, p_at);
END
$$;

-- Extends the held rest of a reservation to a later time, by a successor of its hold.
CREATE OR REPLACE FUNCTION ledger.extend_at(
    p_org text, p_key text, p_spend uuid, p_expires_at timestamptz, p_at timestamptz
) RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := ledger.change_key('extend', p_org, p_key);
    -- Without the time: a client that repeats its request computes it from its clock again.
    hash bytea := sha256(convert_to(p_spend::text, 'UTF8'));
    before ledger.spends := ledger.lock_spend(p_org, p_spend);
    after ledger.spends := before;
    held bigint := before.amount - before.captured - before.released;
    latest timestamptz;
    answer ledger.change_answer := ledger.change_again(key, hash);
BEGIN
    IF answer.replayed THEN
        RETURN answer;
    END IF;
    PERFORM ledger.require_open(before, p_at, true);
    -- Credits cannot be held beyond their expiry.
    latest := least(ledger.reservation_ends(p_at), (
        SELECT min(l.expires_at) FROM ledger.hold_lots p JOIN ledger.lots l ON l.id = p.lot_id
        WHERE p.hold_id = before.hold_id AND l.lapses
    ));
    IF (p_expires_at > before.held_until AND p_expires_at <= latest) IS NOT TRUE THEN
        RAISE EXCEPTION 'reservation % can be extended beyond % and until %', p_spend, before.held_until, latest
            USING ERRCODE = 'BU004', DETAIL = jsonb_build_object('from', before.held_until, 'until', latest)::text;
    END IF;
    PERFORM ledger.void_hold(key, before.hold_id, p_at);
    SELECT h.hold_id INTO after.hold_id
    FROM ledger.hold(
        key, ledger.credits_of(p_org), held, p_expires_at, p_spend::text, p_at, NULL,
        jsonb_build_object('pins_of', before.hold_id)
    ) h;
    after.held_until := p_expires_at;
    RETURN ledger.note_change('extend', key, hash, held, NULL, after, p_at);
END
$$;

-- Refunds an amount of a charge or capture, or with NULL the rest of it, also in the windows that counted it. It first
-- pays the organization's debt. Credits that would expire sooner are extended by p_renew_days, see
-- `ledger.renewed_until`. With p_only only such lots are refunded, see `ledger.move_lots`. BU011: the amount exceeds
-- the rest.
CREATE OR REPLACE FUNCTION ledger.refund_spend(
    p_org text, p_key text, p_spend uuid, p_amount bigint, p_at timestamptz, p_renew_days integer DEFAULT NULL,
    p_only text DEFAULT NULL
) RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := ledger.change_key('refund', p_org, p_key);
    hash bytea := sha256(convert_to(ROW(p_spend, p_amount)::text, 'UTF8'));
    redemption bigint := ledger.redemption();
    credits bigint := ledger.credits_of(p_org);
    debts bigint;
    before ledger.spends;
    after ledger.spends;
    given bigint;
    owed bigint;
    own bigint;
    takers uuid[];
    payers uuid[];
    transfer uuid;
    lots jsonb;
    answer ledger.change_answer;
BEGIN
    PERFORM ledger.lock_debts(p_org);
    debts := ledger.debts_of(p_org);
    before := ledger.lock_spend(p_org, p_spend, debts);
    answer := ledger.change_again(key, hash);
    IF answer.replayed THEN
        RETURN answer;
    END IF;
    given := coalesce(p_amount, before.captured - before.refunded);
    IF given > before.captured - before.refunded OR before.captured = before.refunded THEN
        RAISE EXCEPTION 'of spend % only % are left', p_spend, before.captured - before.refunded USING ERRCODE = 'BU011';
    ELSIF (given > 0 AND p_at IS NOT NULL) IS NOT TRUE THEN
        RAISE EXCEPTION 'a refund is of a positive amount' USING ERRCODE = 'BU004';
    END IF;
    owed := least(given, coalesce((SELECT -b.posted FROM ledger.balances b WHERE b.account_id = debts), 0));
    -- Refunded credits have the terms of their lots. Credits that became a debt, which was paid since, have the terms
    -- of the credits that have paid debts since, or open a new lot if there are none.
    takers := ARRAY(
        SELECT before.transfer_id WHERE before.transfer_id IS NOT NULL
        UNION ALL
        SELECT c.transfer_id FROM ledger.spend_changes c WHERE c.spend_id = p_spend AND c.kind = 'capture'
    );
    SELECT least(given - owed, coalesce(sum(u.amount - u.returned), 0)) INTO own
    FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
    WHERE u.transfer_id = ANY (takers) AND u.to_lot IS NULL AND l.account_id = credits;
    payers := ARRAY(
        SELECT e.transfer_id FROM ledger.entries e
        WHERE given > owed + own AND e.account_id = debts AND e.amount > 0 AND e.effective_at >= before.at
          AND e.amount = (
            SELECT CASE WHEN bool_and(l.org_id = p_org) THEN sum(u.amount) END
            FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
            WHERE u.transfer_id = e.transfer_id AND u.to_lot IS NULL
          )
    );
    lots := jsonb_strip_nulls(jsonb_build_object('source', 'refund', 'renew_days', p_renew_days, 'only', p_only));
    SELECT t.transfer_id INTO transfer
    FROM (
        SELECT array_fill(redemption, ARRAY[count(*)::integer]) AS sources,
            array_agg(l.destination ORDER BY l.ord) AS destinations, array_agg(l.amount ORDER BY l.ord) AS amounts,
            jsonb_agg(l.terms ORDER BY l.ord) AS terms
        FROM (VALUES
            (1, debts, owed, 'null'::jsonb),
            (2, credits, own, lots || jsonb_build_object('returns', takers)),
            (3, credits, given - owed - own, lots || jsonb_build_object('returns', payers))
        ) AS l (ord, destination, amount, terms)
        WHERE l.amount > 0
    ) legs, LATERAL ledger.post_legs(
        key, 'use_refund', legs.sources, legs.destinations, legs.amounts, p_spend::text, p_at, p_org, NULL, legs.terms
    ) t;
    after := before;
    after.refunded := before.refunded + given;
    IF before.status <> 'reserved' AND after.refunded = before.captured THEN
        after.status := 'refunded';
    END IF;
    PERFORM ledger.count_refunded(before, after);
    RETURN ledger.note_change('refund', key, hash, given, transfer, after, p_at);
END
$$;

-- Refunds the granted credits that a spend has captured for p_cost beyond p_most in the month, and counts the others in
-- it. `paid` is the part of the cost that these pay. Errors as `ledger.refund_spend`; the caller has locked the debts.
CREATE OR REPLACE FUNCTION ledger.keep_granted(
    p_org text, p_key text, p_spend uuid, p_cost numeric, p_in text, p_most bigint, p_at timestamptz,
    OUT returned bigint, OUT paid numeric
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    spent ledger.spends := ledger.lock_spend(p_org, p_spend, ledger.debts_of(p_org));
    worth record;
    beyond numeric;
    there bigint := (
        SELECT coalesce(sum(u.amount - u.returned), 0) FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
        WHERE u.to_lot IS NULL AND l.org_id = p_org AND l.paid = 0 AND u.transfer_id IN (
            SELECT spent.transfer_id
            UNION ALL
            SELECT c.transfer_id FROM ledger.spend_changes c WHERE c.spend_id = p_spend AND c.kind = 'capture'
        )
    );
BEGIN
    worth := ledger.granted_rate(p_in, p_at, true);
    paid := least(p_cost, coalesce(trunc(there * worth.up / worth.down, 18), 0));
    beyond := greatest(0, paid - coalesce(ledger.granted_room(p_org, p_most, p_in, p_at), 0));
    paid := paid - beyond;
    returned := CASE WHEN beyond > 0 THEN least(there, coalesce(div(beyond * worth.down, worth.up), 0)) ELSE 0 END;
    IF returned > 0 THEN
        PERFORM ledger.refund_spend(p_org, p_key, p_spend, returned, p_at, NULL, 'granted');
    END IF;
    IF paid > 0 THEN
        PERFORM ledger.count_granted(p_org, paid, p_at);
    END IF;
END
$$;

-- Records that a transfer of the caller has refunded an amount of a spend, or with NULL the rest of it, that
-- `ledger.settle_to` had posted to another owner's account, and credits the windows that counted it. BU011: the amount
-- exceeds the rest.
CREATE OR REPLACE FUNCTION ledger.returned_by(
    p_org text, p_key text, p_spend uuid, p_transfer uuid, p_at timestamptz, p_amount bigint DEFAULT NULL
) RETURNS ledger.change_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text := ledger.change_key('refund', p_org, p_key);
    hash bytea := sha256(convert_to(ROW(p_spend, p_amount)::text, 'UTF8'));
    before ledger.spends := ledger.lock_spend(p_org, p_spend);
    after ledger.spends := before;
    given bigint := coalesce(p_amount, before.captured - before.refunded);
    answer ledger.change_answer := ledger.change_again(key, hash);
BEGIN
    IF answer.replayed THEN
        RETURN answer;
    ELSIF before.status = 'reserved' OR given <= 0 OR given > before.captured - before.refunded THEN
        RAISE EXCEPTION 'of spend % only % are left', p_spend, before.captured - before.refunded USING ERRCODE = 'BU011';
    END IF;
    after.refunded := before.refunded + given;
    IF after.refunded = before.captured THEN
        after.status := 'refunded';
    END IF;
    PERFORM ledger.count_refunded(before, after);
    RETURN ledger.note_change('refund', key, hash, given, p_transfer, after, p_at);
END
$$;

-- Ends the reservations of these expired holds. The caller has locked the holds and the balances.
CREATE OR REPLACE FUNCTION ledger.expire_spends(p_holds uuid[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    before ledger.spends;
    after ledger.spends;
BEGIN
    FOR before IN
        SELECT * FROM ledger.spends s WHERE s.hold_id = ANY (p_holds) AND s.status = 'reserved' ORDER BY s.hold_id
    LOOP
        after := before;
        after.released := before.amount - before.captured;
        after.status := ledger.ended_as(before, 'expired');
        PERFORM ledger.count_captured(before, after);
        UPDATE ledger.spends s SET status = after.status, released = after.released
        WHERE s.org_id = before.org_id AND s.id = before.id;
    END LOOP;
END
$$;
