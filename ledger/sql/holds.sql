-- Two-phase movements: a hold is pending, then posted, voided or expired, once.

-- Reserves an amount, which may be zero, and returns the hold's present status if its key is replayed. BU001: not
-- available. BU002: the key was used for another hold. BU004: breaks a rule. BU009: no such account. For p_lots see
-- `ledger.pin_lots`.
CREATE OR REPLACE FUNCTION ledger.hold(
    p_key text, p_account bigint, p_amount bigint, p_expires_at timestamptz, p_reference text, p_held_at timestamptz,
    p_metadata jsonb DEFAULT NULL, p_lots jsonb DEFAULT NULL, OUT hold_id uuid, OUT replayed boolean, OUT status text
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hash bytea := ledger.request_hash('hold', p_account::text || ':' || p_amount::text, p_reference);
    known_hash bytea;
    carries boolean;
BEGIN
    IF (p_amount >= 0 AND p_expires_at > p_held_at AND p_account & 255 = 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'a hold sets aside an amount, not below zero, of an unstriped account and expires after it was taken'
            USING ERRCODE = 'BU004';
    END IF;
    INSERT INTO ledger.holds
        (idempotency_key, request_hash, account_id, amount, held_at, expires_at, reference, metadata)
    VALUES (p_key, hash, p_account, p_amount, p_held_at, p_expires_at, p_reference, p_metadata)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id, holds.status INTO hold_id, status;
    replayed := NOT FOUND;
    IF replayed THEN
        SELECT h.id, h.status, h.request_hash INTO STRICT hold_id, status, known_hash
        FROM ledger.holds h WHERE h.idempotency_key = p_key;
        IF known_hash <> hash THEN
            RAISE EXCEPTION 'key % stands for another hold', p_key USING ERRCODE = 'BU002';
        END IF;
        RETURN;
    END IF;
    UPDATE ledger.balances b SET pending_out = b.pending_out + p_amount
    WHERE b.account_id = p_account AND b.stripe = 0
      AND (b.floor IS NULL OR b.posted - b.pending_out - p_amount >= b.floor)
    RETURNING b.lots INTO carries;
    IF NOT FOUND THEN
        PERFORM ledger.refuse_funds(p_account, p_amount, p_key);
    END IF;
    IF carries AND p_amount > 0 THEN
        PERFORM ledger.pin_lots(hold_id, p_account, p_amount, p_held_at, p_lots, p_key);
    END IF;
END
$$;

-- Posts up to the held amount to the destination and releases the rest. BU003: the hold has ended. BU005: it expired at
-- or before p_at, swept or not. BU006: no such hold. BU002, BU004, BU012 and p_lots as `ledger.post`. Captures take the
-- lots that the hold has pinned, even if these have expired since.
CREATE OR REPLACE FUNCTION ledger.capture_hold(
    p_key text, p_hold uuid, p_amount bigint, p_destination bigint, p_at timestamptz, p_kind text DEFAULT 'capture',
    p_reference text DEFAULT NULL, p_org text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_lots jsonb DEFAULT NULL,
    OUT transfer_id uuid, OUT replayed boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hash bytea := ledger.request_hash(
        p_kind, p_hold::text || '>' || p_destination::text || ':' || p_amount::text, p_reference
    );
    held ledger.holds;
    carries boolean;
BEGIN
    INSERT INTO ledger.transfers
        (idempotency_key, request_hash, kind, reference, org_id, effective_at, metadata, hold_id)
    VALUES (p_key, hash, p_kind, p_reference, p_org, p_at, p_metadata, p_hold)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id INTO transfer_id;
    replayed := NOT FOUND;
    IF replayed THEN
        transfer_id := ledger.replay(p_key, hash);
        RETURN;
    END IF;
    SELECT * INTO held FROM ledger.holds h WHERE h.id = p_hold FOR NO KEY UPDATE;
    PERFORM ledger.require_pending(held, p_hold);
    IF held.expires_at <= p_at THEN
        RAISE EXCEPTION 'hold % expired at %', p_hold, held.expires_at USING ERRCODE = 'BU005';
    END IF;
    IF p_amount IS NULL OR p_amount <= 0 OR p_amount > held.amount THEN
        RAISE EXCEPTION 'hold % is captured with more than zero and at most %', p_hold, held.amount
            USING ERRCODE = 'BU004';
    END IF;
    -- Both balances are locked in order before the first of them is changed.
    PERFORM ledger.lock_balances(ARRAY[held.account_id, p_destination]);
    UPDATE ledger.balances b SET pending_out = b.pending_out - held.amount
    WHERE b.account_id = held.account_id AND b.stripe = 0
    RETURNING b.lots INTO carries;
    IF carries THEN
        PERFORM ledger.unpin_lots(ARRAY[p_hold]);
    END IF;
    PERFORM ledger.write_legs(
        ARRAY[transfer_id], ARRAY[held.account_id], ARRAY[p_destination], ARRAY[p_amount], p_at, p_lots, p_hold
    );
    UPDATE ledger.holds h
    SET status = 'posted', captured = p_amount, ended_at = p_at, ended_key = p_key, ended_transfer_id = transfer_id
    WHERE h.id = p_hold;
END
$$;

-- Raises BU006 for a hold that does not exist and BU003 for one that has ended.
CREATE OR REPLACE FUNCTION ledger.require_pending(p_held ledger.holds, p_hold uuid) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF p_held.id IS NULL THEN
        RAISE EXCEPTION 'no hold %', p_hold USING ERRCODE = 'BU006';
    ELSIF p_held.status = 'expired' THEN
        RAISE EXCEPTION 'hold % expired at %', p_hold, p_held.expires_at USING ERRCODE = 'BU005';
    ELSIF p_held.status <> 'pending' THEN
        RAISE EXCEPTION 'hold % was % at %', p_hold, p_held.status, p_held.ended_at USING ERRCODE = 'BU003';
    END IF;
END
$$;

-- Releases the whole hold; `replayed` if this key did so before. An expired hold that was not swept yet can still be
-- voided: the money is released either way.
CREATE OR REPLACE FUNCTION ledger.void_hold(p_key text, p_hold uuid, p_at timestamptz, OUT replayed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held ledger.holds;
    carries boolean;
BEGIN
    SELECT * INTO held FROM ledger.holds h WHERE h.id = p_hold FOR NO KEY UPDATE;
    replayed := held.status = 'voided' AND held.ended_key = p_key;
    IF replayed THEN
        RETURN;
    END IF;
    replayed := false;
    PERFORM ledger.require_pending(held, p_hold);
    UPDATE ledger.balances b SET pending_out = b.pending_out - held.amount
    WHERE b.account_id = held.account_id AND b.stripe = 0
    RETURNING b.lots INTO carries;
    IF carries THEN
        PERFORM ledger.unpin_lots(ARRAY[p_hold]);
    END IF;
    UPDATE ledger.holds h SET status = 'voided', ended_at = p_at, ended_key = p_key WHERE h.id = p_hold;
END
$$;

-- Ends up to p_limit holds that expired at or before p_now and returns how many. Several sweepers may run at once: they
-- skip locked holds. In the order of the index of pending holds, or the planner may read the whole table by its key.
CREATE OR REPLACE FUNCTION ledger.expire_holds(p_now timestamptz, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due uuid[];
    carries boolean;
BEGIN
    due := ARRAY(
        SELECT h.id FROM ledger.holds h
        WHERE h.status = 'pending' AND h.expires_at <= p_now
        ORDER BY h.expires_at, h.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    );
    SELECT bool_or(locked.lots) INTO carries FROM (
        SELECT b.lots FROM ledger.balances b
        WHERE b.stripe = 0 AND b.account_id IN (SELECT h.account_id FROM ledger.holds h WHERE h.id = ANY (due))
        ORDER BY b.account_id FOR NO KEY UPDATE
    ) locked;
    UPDATE ledger.balances b SET pending_out = b.pending_out - n.amount
    FROM (
        SELECT h.account_id, sum(h.amount)::bigint AS amount FROM ledger.holds h WHERE h.id = ANY (due)
        GROUP BY h.account_id
    ) n
    WHERE b.account_id = n.account_id AND b.stripe = 0;
    IF carries THEN
        PERFORM ledger.unpin_lots(due);
    END IF;
    UPDATE ledger.holds h SET status = 'expired', ended_at = h.expires_at WHERE h.id = ANY (due);
    PERFORM ledger.expire_spends(due);
    RETURN cardinality(due);
END
$$;
