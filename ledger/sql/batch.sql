-- Many postings (legs) in one statement: one transfer with several, or many transfers with one each.

-- Locks the balances of these accounts that this session posts to, in the order of their ids. A transaction that posts
-- more than once calls it for all its accounts before its first posting; otherwise it would hold a balance of the
-- platform while it waits for another. Missing accounts are ignored.
CREATE OR REPLACE FUNCTION ledger.lock_balances(p_accounts bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM ledger.balances b
    WHERE b.account_id = ANY (p_accounts) AND b.stripe = ledger.stripe_of(b.account_id)
    ORDER BY b.account_id, b.stripe FOR NO KEY UPDATE;
END
$$;

-- Writes the legs of transfers that were just inserted, in the order of the arrays, and moves their balances. Leg i of
-- transfer p_transfers[i] moves p_amounts[i] from p_sources[i] to p_destinations[i]. Minimum balances hold after every
-- leg, not only at the end, so a batch is refused exactly if one of its parts would be refused separately. p_lots has
-- the terms of each leg, or of all. With p_hold the lots are those that the hold had pinned.
CREATE OR REPLACE FUNCTION ledger.write_legs(
    p_transfers uuid[], p_sources bigint[], p_destinations bigint[], p_amounts bigint[], p_effective_at timestamptz,
    p_lots jsonb DEFAULT NULL, p_hold uuid DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    broken boolean;
    carries boolean;
BEGIN
    SELECT bool_or((l.amount > 0 AND l.source <> l.destination AND s.asset = d.asset) IS NOT TRUE),
        bool_or(s.lots OR d.lots)
    INTO broken, carries
    FROM unnest(p_sources, p_destinations, p_amounts) AS l (source, destination, amount)
    LEFT JOIN ledger.accounts s ON s.id = l.source
    LEFT JOIN ledger.accounts d ON d.id = l.destination;
    IF broken THEN
        RAISE EXCEPTION 'a transfer moves a positive amount between two accounts of one asset'
            USING ERRCODE = 'BU004';
    END IF;

    PERFORM ledger.lock_balances(p_sources || p_destinations);
    -- A new statement, so a new snapshot: it sees the balances as they are now that they are locked.
    WITH sides AS (
        SELECT l.ord * 2 AS ord, l.transfer_id, l.source AS account_id, -l.amount AS amount
        FROM unnest(p_transfers, p_sources, p_amounts) WITH ORDINALITY AS l (transfer_id, source, amount, ord)
        UNION ALL
        SELECT l.ord * 2 + 1, l.transfer_id, l.destination, l.amount
        FROM unnest(p_transfers, p_destinations, p_amounts) WITH ORDINALITY AS l (transfer_id, destination, amount, ord)
    ), running AS (
        SELECT s.account_id, b.stripe, s.transfer_id, s.amount, b.asset, b.org_id, b.posted, b.pending_out, b.floor,
            b.version + row_number() OVER w AS version,
            (b.posted + sum(s.amount) OVER w)::bigint AS balance_after
        FROM sides s
        JOIN ledger.balances b ON b.account_id = s.account_id AND b.stripe = ledger.stripe_of(s.account_id)
        WINDOW w AS (PARTITION BY s.account_id ORDER BY s.ord ROWS UNBOUNDED PRECEDING)
    ), written AS (
        INSERT INTO ledger.entries
            (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
        SELECT r.account_id, r.version, r.amount, r.balance_after, p_effective_at, r.transfer_id, r.stripe, r.asset,
            r.org_id
        FROM running r
        WHERE r.amount > 0 OR r.floor IS NULL OR r.balance_after - r.pending_out >= r.floor
           OR ledger.refuse_funds(r.account_id, r.posted - r.balance_after, r.transfer_id::text)
        RETURNING account_id, stripe, version, amount
    )
    UPDATE ledger.balances b SET posted = b.posted + n.amount, version = n.version
    FROM (
        SELECT w.account_id, w.stripe, sum(w.amount)::bigint AS amount, max(w.version) AS version
        FROM written w GROUP BY w.account_id, w.stripe
    ) n
    WHERE b.account_id = n.account_id AND b.stripe = n.stripe;
    IF carries THEN
        PERFORM ledger.move_leg_lots(
            p_transfers, p_sources, p_destinations, p_amounts, p_effective_at, p_lots, p_hold
        );
    END IF;
END
$$;

-- Posts one transfer of several legs: all of them or none. p_lots is an array with the terms of each leg, or null.
-- Errors as `ledger.post`.
CREATE OR REPLACE FUNCTION ledger.post_legs(
    p_key text, p_kind text, p_sources bigint[], p_destinations bigint[], p_amounts bigint[], p_reference text,
    p_effective_at timestamptz, p_org text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_lots jsonb DEFAULT NULL,
    OUT transfer_id uuid, OUT replayed boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hash bytea;
    legs text;
BEGIN
    IF coalesce(cardinality(p_sources), 0) = 0 OR cardinality(p_sources) <> cardinality(p_destinations)
       OR cardinality(p_sources) <> cardinality(p_amounts) THEN
        RAISE EXCEPTION 'a transfer has one leg at least, and each leg a source, a destination and an amount'
            USING ERRCODE = 'BU004';
    END IF;
    SELECT string_agg(concat(l.source, '>', l.destination, ':', l.amount), ',' ORDER BY l.ord)
    INTO legs
    FROM unnest(p_sources, p_destinations, p_amounts) WITH ORDINALITY AS l (source, destination, amount, ord);
    hash := ledger.request_hash(p_kind, legs, p_reference);
    INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, reference, org_id, effective_at, metadata)
    VALUES (p_key, hash, p_kind, p_reference, p_org, p_effective_at, p_metadata)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id INTO transfer_id;
    replayed := NOT FOUND;
    IF replayed THEN
        transfer_id := ledger.replay(p_key, hash);
        RETURN;
    END IF;
    PERFORM ledger.write_legs(
        array_fill(transfer_id, ARRAY[cardinality(p_sources)]), p_sources, p_destinations, p_amounts, p_effective_at,
        p_lots
    );
END
$$;

-- Posts many transfers of one kind: all of them or none, each under its own key, in the order given. A key that was
-- posted before, here or earlier, is replayed. Returns one row for each key, in the order given. p_lots is an array
-- with the terms of each transfer, or one object with those of all.
CREATE OR REPLACE FUNCTION ledger.post_batch(
    p_keys text[], p_kind text, p_sources bigint[], p_destinations bigint[], p_amounts bigint[], p_references text[],
    p_effective_at timestamptz, p_org text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_lots jsonb DEFAULT NULL
) RETURNS TABLE (transfer_id uuid, replayed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size integer := coalesce(cardinality(p_keys), 0);
    ids uuid[];
    fresh integer[];
BEGIN
    IF size <> coalesce(cardinality(p_sources), 0) OR size <> coalesce(cardinality(p_destinations), 0)
       OR size <> coalesce(cardinality(p_amounts), 0) OR size <> coalesce(cardinality(p_references), 0) THEN
        RAISE EXCEPTION 'the arrays of a batch are of one length' USING ERRCODE = 'BU004';
    END IF;
    ids := ARRAY(SELECT uuidv7() FROM generate_series(1, size));
    WITH written AS (
        INSERT INTO ledger.transfers
            (id, idempotency_key, request_hash, kind, reference, org_id, effective_at, metadata)
        SELECT i.id, i.key,
            ledger.request_hash(
                p_kind, concat(i.source, '>', i.destination, ':', i.amount), i.reference
            ),
            p_kind, i.reference, p_org, p_effective_at, p_metadata
        FROM unnest(ids, p_keys, p_sources, p_destinations, p_amounts, p_references) WITH ORDINALITY
            AS i (id, key, source, destination, amount, reference, ord)
        ORDER BY i.key, i.ord
        ON CONFLICT (idempotency_key) DO NOTHING
        RETURNING id
    )
    SELECT array_agg(i.ord ORDER BY i.ord) INTO fresh
    FROM unnest(ids) WITH ORDINALITY AS i (id, ord) JOIN written w ON w.id = i.id;

    IF cardinality(fresh) = size THEN
        PERFORM ledger.write_legs(ids, p_sources, p_destinations, p_amounts, p_effective_at, p_lots);
        RETURN QUERY SELECT i.id, false FROM unnest(ids) WITH ORDINALITY AS i (id, ord) ORDER BY i.ord;
        RETURN;
    END IF;
    IF fresh IS NOT NULL THEN
        PERFORM ledger.write_legs(
            array_agg(ids[f] ORDER BY f), array_agg(p_sources[f] ORDER BY f), array_agg(p_destinations[f] ORDER BY f),
            array_agg(p_amounts[f] ORDER BY f), p_effective_at,
            CASE jsonb_typeof(p_lots) WHEN 'array' THEN jsonb_agg(p_lots -> (f - 1) ORDER BY f) ELSE p_lots END
        ) FROM unnest(fresh) AS f;
    END IF;
    RETURN QUERY
        SELECT CASE WHEN i.ord = ANY (fresh) THEN i.id ELSE ledger.replay(i.key, ledger.request_hash(
                p_kind, concat(i.source, '>', i.destination, ':', i.amount), i.reference
            )) END,
            (i.ord = ANY (fresh)) IS NOT TRUE
        FROM unnest(ids, p_keys, p_sources, p_destinations, p_amounts, p_references) WITH ORDINALITY
            AS i (id, key, source, destination, amount, reference, ord)
        ORDER BY i.ord;
END
$$;
