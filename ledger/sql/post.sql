-- One transfer between two accounts in one round trip.
--
-- Every function here takes its locks in one order, so two of them never deadlock: keys of transfers, in the order of
-- their text; holds, in the order of their ids; balances, in the order of account and stripe. The platform's shared
-- accounts have the highest ids, so a transaction that has locked one waits for no balance of a single organization.
-- `ledger.lock_balances` has the same order for sets.

-- The fingerprint of a key's request. Lengths precede texts, so no two requests share one.
CREATE OR REPLACE FUNCTION ledger.request_hash(p_kind text, p_legs text, p_reference text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(concat(p_legs, '|', length(p_kind), '|', p_kind, '|' || p_reference), 'UTF8'));

-- The transfer of a key; BU002: the key was used for another request.
CREATE OR REPLACE FUNCTION ledger.replay(p_key text, p_hash bytea) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    known_id uuid;
    known_hash bytea;
BEGIN
    SELECT t.id, t.request_hash INTO STRICT known_id, known_hash
    FROM ledger.transfers t WHERE t.idempotency_key = p_key;
    IF known_hash <> p_hash THEN
        RAISE EXCEPTION 'key % stands for another transfer', p_key USING ERRCODE = 'BU002';
    END IF;
    RETURN known_id;
END
$$;

-- Waits for a balance in a queue, because at its row each commit would wake all waiting sessions. The caller has found
-- the queue occupied. A transaction that already holds the balance never waits.
CREATE OR REPLACE FUNCTION ledger.wait_in_line(p_account bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM ledger.balances b WHERE b.account_id = p_account AND b.stripe = 0 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        PERFORM pg_advisory_xact_lock(p_account);
    END IF;
END
$$;

-- Posts one amount from one account to another. BU001: the source's minimum balance forbids it. BU002: the key was used
-- for another request. BU004: the request breaks a rule. BU009: no such account. For p_lots and BU012 see
-- `ledger.move_lots`; p_lots is not part of the key's fingerprint.
CREATE OR REPLACE FUNCTION ledger.post(
    p_key text, p_kind text, p_source bigint, p_destination bigint, p_amount bigint, p_reference text,
    p_effective_at timestamptz, p_org text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_lots jsonb DEFAULT NULL,
    OUT transfer_id uuid, OUT replayed boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hash bytea := ledger.request_hash(
        p_kind, concat(p_source, '>', p_destination, ':', p_amount), p_reference
    );
    s_posted bigint;
    s_version bigint;
    s_stripe smallint := 0;
    s_asset text;
    s_org text;
    s_lots boolean;
    d_posted bigint;
    d_version bigint;
    d_stripe smallint := 0;
    d_asset text;
    d_org text;
    d_lots boolean;
    first bigint;
BEGIN
    INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, reference, org_id, effective_at, metadata)
    VALUES (p_key, hash, p_kind, p_reference, p_org, p_effective_at, p_metadata)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id INTO transfer_id;
    IF transfer_id IS NULL THEN
        replayed := true;
        transfer_id := ledger.replay(p_key, hash);
        RETURN;
    END IF;

    IF (p_amount > 0) IS NOT TRUE THEN
        PERFORM ledger.refuse(p_source, p_destination, p_amount, p_key);
    END IF;

    -- Evaluated only for accounts with stripes, because each transaction that reaches an expression prepares all of it,
    -- even if its result is 0.
    IF p_source & 255 <> 0 THEN
        s_stripe := ledger.stripe_of(p_source);
    END IF;
    IF p_destination & 255 <> 0 THEN
        d_stripe := ledger.stripe_of(p_destination);
    END IF;
    first := least(p_source, p_destination);
    IF first & 255 = 0 AND NOT pg_try_advisory_xact_lock(first) THEN
        PERFORM ledger.wait_in_line(first);
    END IF;

    -- The same two updates in both orders, because the lower id is locked first. A source that is not found has too
    -- little, or does not exist.
    IF p_source < p_destination THEN
        UPDATE ledger.balances b SET posted = b.posted - p_amount, version = b.version + 1
        WHERE b.account_id = p_source AND b.stripe = s_stripe
          AND (b.floor IS NULL OR b.posted - b.pending_out - p_amount >= b.floor)
        RETURNING b.posted, b.version, b.asset, b.org_id, b.lots
        INTO s_posted, s_version, s_asset, s_org, s_lots;
        UPDATE ledger.balances b SET posted = b.posted + p_amount, version = b.version + 1
        WHERE b.account_id = p_destination AND b.stripe = d_stripe
        RETURNING b.posted, b.version, b.asset, b.org_id, b.lots
        INTO d_posted, d_version, d_asset, d_org, d_lots;
    ELSE
        UPDATE ledger.balances b SET posted = b.posted + p_amount, version = b.version + 1
        WHERE b.account_id = p_destination AND b.stripe = d_stripe
        RETURNING b.posted, b.version, b.asset, b.org_id, b.lots
        INTO d_posted, d_version, d_asset, d_org, d_lots;
        UPDATE ledger.balances b SET posted = b.posted - p_amount, version = b.version + 1
        WHERE b.account_id = p_source AND b.stripe = s_stripe
          AND (b.floor IS NULL OR b.posted - b.pending_out - p_amount >= b.floor)
        RETURNING b.posted, b.version, b.asset, b.org_id, b.lots
        INTO s_posted, s_version, s_asset, s_org, s_lots;
    END IF;
    IF (p_source <> p_destination AND s_asset = d_asset) IS NOT TRUE THEN
        PERFORM ledger.refuse(p_source, p_destination, p_amount, p_key);
    END IF;

    INSERT INTO ledger.entries
        (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
    VALUES
        (p_source, s_version, -p_amount, s_posted, p_effective_at, transfer_id, s_stripe, s_asset, s_org),
        (p_destination, d_version, p_amount, d_posted, p_effective_at, transfer_id, d_stripe, d_asset, d_org);
    IF s_lots OR d_lots THEN
        PERFORM ledger.move_lots(
            transfer_id, 1, p_source, s_lots, p_destination, d_lots, p_amount, p_effective_at, p_lots
        );
    END IF;
    replayed := false;
END
$$;

-- Always raises the reason why an amount could not move from one account to the other.
CREATE OR REPLACE FUNCTION ledger.refuse(p_source bigint, p_destination bigint, p_amount bigint, p_key text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.accounts a WHERE a.id = p_source)
       OR NOT EXISTS (SELECT FROM ledger.accounts a WHERE a.id = p_destination) THEN
        RAISE EXCEPTION 'no account % or %', p_source, p_destination USING ERRCODE = 'BU009';
    END IF;
    IF (p_amount > 0 AND p_source <> p_destination) IS NOT TRUE
       OR (SELECT count(DISTINCT a.asset) FROM ledger.accounts a WHERE a.id IN (p_source, p_destination)) > 1 THEN
        RAISE EXCEPTION 'a transfer moves a positive amount between two accounts of one asset'
            USING ERRCODE = 'BU004';
    END IF;
    PERFORM ledger.refuse_funds(p_source, p_amount, p_key);
END
$$;

-- The expired part of an account's balance: neither held nor spendable, until the sweep books its expiry.
CREATE OR REPLACE FUNCTION ledger.due_credits(p_account bigint, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT coalesce(sum(l.remaining - l.held), 0) FROM ledger.lots l
        WHERE l.account_id = p_account AND l.is_open AND l.lapses AND l.expires_at <= p_at
    );
END
$$;

-- Always raises BU001; a function, so that a query can refuse in the middle of its rows. The detail is JSON: the
-- account's owner and asset, the needed amount, and the available one without lots that have expired at p_at.
CREATE OR REPLACE FUNCTION ledger.refuse_funds(
    p_account bigint, p_amount bigint, p_key text, p_at timestamptz DEFAULT '-infinity'
) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    lacking jsonb := (
        SELECT pg_catalog.jsonb_build_object('org', a.org_id, 'asset', a.asset, 'needed', p_amount,
            'available', b.posted - b.pending_out - b.floor
                - CASE WHEN b.lots THEN ledger.due_credits(p_account, p_at) ELSE 0 END, 'key', p_key)
        FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.id = p_account
    );
BEGIN
    RAISE EXCEPTION 'account % has not % available', p_account, p_amount
        USING ERRCODE = 'BU001', DETAIL = coalesce(lacking::pg_catalog.text, '');
END
$$;
