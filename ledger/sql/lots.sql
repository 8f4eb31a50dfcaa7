-- Lots follow credits: the source, price and expiry of an account's credits.
--
-- The lock of an account's balance also protects its lots, so nothing here locks a lot. At every commit the lots of an
-- account add up to its posted balance, and their held amounts to its holds.

-- The cost of the part by which a lot's used credits reach p_gone: costs are cumulative, so the parts add up to the
-- price.
CREATE OR REPLACE FUNCTION ledger.slice_cost(p_paid bigint, p_costed bigint, p_amount bigint, p_gone bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_paid = 0 THEN 0 WHEN p_gone = p_amount THEN p_paid - p_costed
    ELSE greatest(0, div(p_paid::numeric * p_gone, p_amount)::bigint - p_costed) END;

-- The payee's part of the credits' cost: its share, or more, up to their list price, if they were sold for less.
CREATE OR REPLACE FUNCTION ledger.payee_cost(
    p_cost bigint, p_credits bigint, p_gross bigint, p_part bigint, p_credits_per bigint, p_money_per bigint
) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(p_cost, greatest(
    div(p_cost::numeric * p_part, p_gross),
    div(div(p_credits::numeric * p_money_per, p_credits_per) * p_part, p_gross)
)::bigint);

-- The cost of the payee's part, p_part, of the next p_gross credits of a lot; the platform gets the rest of them. The
-- division is cumulative over the credits that the lot, or if it is untouched its parent, has given so far, so that
-- each side gets its share even of many lots of a minor unit or less. p_share is the `share` of `ledger.move_lots`.
CREATE OR REPLACE FUNCTION ledger.shared_cost(p_lot ledger.lots, p_gross bigint, p_part bigint, p_share jsonb)
RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    gone bigint := p_lot.amount - p_lot.remaining;
    given bigint := p_lot.costed;
    whole bigint := ledger.slice_cost(p_lot.paid, given, p_lot.amount, gone + p_gross);
    credits_per bigint;
    money_per bigint;
BEGIN
    IF whole = 0 OR p_part = p_gross THEN
        RETURN whole;
    END IF;
    IF gone = 0 AND p_lot.parent_id IS NOT NULL THEN
        SELECT greatest(0, l.amount - l.remaining - p_lot.amount), greatest(0, l.costed - p_lot.paid) INTO gone, given
        FROM ledger.lots l WHERE l.id = p_lot.parent_id;
    END IF;
    IF p_lot.paid_asset = p_share ->> 'asset' THEN
        credits_per := p_share ->> 'credits';
        money_per := p_share ->> 'money';
    END IF;
    RETURN least(whole, ledger.payee_cost(given + whole, gone + p_gross, p_gross, p_part, credits_per, money_per)
        - ledger.payee_cost(given, gone, p_gross, p_part, credits_per, money_per));
END
$$;

-- Opens a lot, and returns its id.
CREATE OR REPLACE FUNCTION ledger.open_lot(
    p_account bigint, p_amount bigint, p_paid bigint, p_transfer uuid, p_at timestamptz, p_terms jsonb,
    p_expires_at timestamptz, p_root uuid DEFAULT NULL, p_parent uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    new_id uuid := coalesce((p_terms ->> 'id')::uuid, uuidv7());
BEGIN
    INSERT INTO ledger.lots (id, account_id, org_id, source, priority, opened_at, expires_at, lapses, amount, remaining,
        paid, paid_asset, payment_id, root_id, parent_id, transfer_id, extended, taxed)
    SELECT new_id, a.id, a.org_id, p_terms ->> 'source', coalesce((p_terms ->> 'priority')::smallint, 0), p_at,
        p_expires_at, a.lots_lapse, p_amount, p_amount, p_paid, p_terms ->> 'paid_asset', p_terms ->> 'payment_id',
        coalesce(p_root, new_id), p_parent, p_transfer, coalesce((p_terms ->> 'extended')::interval, '0'),
        coalesce((p_terms ->> 'taxed')::boolean, false)
    FROM ledger.accounts a WHERE a.id = p_account;
    RETURN new_id;
END
$$;

-- The extended expiry of a slice of a lot, or NULL if it keeps its expiry: p_days from p_at. All extensions together
-- are at most the term of its first lot, so that credits moved back and forth still expire.
CREATE OR REPLACE FUNCTION ledger.renewed_until(
    p_root uuid, p_expires_at timestamptz, p_extended interval, p_days integer, p_at timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
-- A day has 24 hours, regardless of the session's zone.
SET TimeZone = 'UTC'
AS $$
DECLARE
    -- Time during which the credits cannot be spent does not count as an extension.
    without timestamptz := greatest(p_at, p_expires_at);
    renewed timestamptz;
BEGIN
    IF p_days IS NOT NULL AND p_expires_at IS NOT NULL THEN
        SELECT least(p_at + make_interval(days => p_days), p_at + n.term, without + (n.term - p_extended)) INTO renewed
        FROM (SELECT r.expires_at - r.opened_at AS term FROM ledger.lots r WHERE r.id = p_root) n;
    END IF;
    RETURN CASE WHEN renewed > without THEN renewed END;
END
$$;

-- Opens a lot with a slice of another one, given as JSON, on the same terms except for a later expiry p_until.
CREATE OR REPLACE FUNCTION ledger.open_slice(
    p_lot jsonb, p_amount bigint, p_cost bigint, p_account bigint, p_transfer uuid, p_at timestamptz,
    p_until timestamptz
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    ends timestamptz := (p_lot ->> 'expires_at')::timestamptz;
    changes jsonb := '{}';
BEGIN
    IF p_until IS NOT NULL THEN
        changes := jsonb_build_object(
            'source', CASE p_lot ->> 'source' WHEN 'earnings' THEN 'earnings' ELSE 'refund' END,
            'extended', (p_lot ->> 'extended')::interval + (p_until - greatest(p_at, ends))
        );
    END IF;
    RETURN ledger.open_lot(p_account, p_amount, p_cost, p_transfer, p_at, p_lot - 'id' || changes,
        coalesce(p_until, ends), (p_lot ->> 'root_id')::uuid, (p_lot ->> 'id')::uuid);
END
$$;

-- Moves a slice of a lot to another account, and returns its lot there. It is returned to the lot that it came from if
-- that is on this account; otherwise it opens a lot on the same terms. p_renew_days: see `ledger.renewed_until`.
CREATE OR REPLACE FUNCTION ledger.arrive(
    p_lot ledger.lots, p_amount bigint, p_cost bigint, p_account bigint, p_transfer uuid, p_at timestamptz,
    p_renew_days integer
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    known_id uuid;
    until timestamptz;
BEGIN
    IF p_renew_days IS NOT NULL THEN
        until := ledger.renewed_until(p_lot.root_id, p_lot.expires_at, p_lot.extended, p_renew_days, p_at);
    END IF;
    -- Credits without room, because the lot was refilled in another way, open a lot as well, and so do those with other
    -- terms since.
    IF until IS NULL THEN
        UPDATE ledger.lots l SET remaining = l.remaining + p_amount, costed = l.costed - p_cost, is_open = true
        WHERE l.id = (
            SELECT o.id FROM ledger.lots o
            WHERE o.id IN (p_lot.parent_id, p_lot.root_id) AND o.account_id = p_account
              AND o.amount - o.remaining >= p_amount AND o.costed >= p_cost AND o.source = p_lot.source
              AND o.expires_at IS NOT DISTINCT FROM p_lot.expires_at
            ORDER BY o.id = p_lot.parent_id DESC LIMIT 1
        )
        RETURNING l.id INTO known_id;
        IF FOUND THEN
            RETURN known_id;
        END IF;
    END IF;
    RETURN ledger.open_slice(to_jsonb(p_lot), p_amount, p_cost, p_account, p_transfer, p_at, until);
END
$$;

-- Lots for credits from an account without lots: those of the returned transfer, the last first, and a new lot on the
-- terms for the rest. BU012: neither is named, or the amount exceeds what can be returned.
CREATE OR REPLACE FUNCTION ledger.bring_lots(
    p_transfer uuid, p_account bigint, p_amount bigint, p_at timestamptz, p_terms jsonb
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    missing bigint := p_amount;
    part bigint;
    worth bigint;
    used record;
    until timestamptz;
    number bigint;
    lot_id uuid;
    origins uuid[] := CASE jsonb_typeof(p_terms -> 'returns')
        WHEN 'array' THEN ARRAY(SELECT t::uuid FROM jsonb_array_elements_text(p_terms -> 'returns') t)
        WHEN 'string' THEN ARRAY[(p_terms ->> 'returns')::uuid] END;
BEGIN
    IF cardinality(origins) > 0 THEN
        FOR used IN
            SELECT u.transfer_id, u.leg, u.amount, u.cost, u.returned, u.cost_returned, u.passed, u.cost_passed, l AS lot,
                l.account_id = p_account AS is_here
            FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
            WHERE u.transfer_id = ANY (origins) AND u.to_lot IS NULL
              AND u.amount > CASE WHEN l.account_id = p_account THEN u.returned ELSE u.passed END
              AND CASE p_terms ->> 'only' WHEN 'paid' THEN l.paid > 0 WHEN 'granted' THEN l.paid = 0
                  WHEN 'taxed' THEN l.paid > 0 AND l.taxed WHEN 'untaxed' THEN l.paid > 0 AND NOT l.taxed ELSE true END
            ORDER BY u.transfer_id DESC, u.leg DESC, l.priority DESC, l.expires_at DESC NULLS FIRST, l.paid > 0 DESC, l.id DESC
        LOOP
            until := NULL;
            IF p_terms ->> 'renew_days' IS NOT NULL THEN
                until := ledger.renewed_until((used.lot).root_id, (used.lot).expires_at, (used.lot).extended,
                    (p_terms ->> 'renew_days')::integer, p_at);
            END IF;
            IF used.is_here THEN
                part := least(missing, used.amount - used.returned);
                worth := ledger.slice_cost(used.cost, used.cost_returned, used.amount, used.returned + part);
                UPDATE ledger.lot_uses u SET returned = u.returned + part, cost_returned = u.cost_returned + worth
                WHERE u.transfer_id = used.transfer_id AND u.leg = used.leg AND u.lot_id = (used.lot).id;
            ELSE
                part := least(missing, used.amount - used.passed);
                worth := ledger.slice_cost(used.cost, used.cost_passed, used.amount, used.passed + part);
                UPDATE ledger.lot_uses u SET passed = u.passed + part, cost_passed = u.cost_passed + worth
                WHERE u.transfer_id = used.transfer_id AND u.leg = used.leg AND u.lot_id = (used.lot).id;
            END IF;
            -- A return has its own row, because revenue follows rows in the order of their transfers.
            INSERT INTO ledger.lot_returns (transfer_id, used_by, leg, lot_id, account_id, amount, cost)
            VALUES (p_transfer, used.transfer_id, used.leg, (used.lot).id, p_account, part, worth)
            RETURNING lot_returns.number INTO number;
            IF used.is_here AND until IS NULL THEN
                UPDATE ledger.lots l SET remaining = l.remaining + part, costed = l.costed - worth, is_open = true
                WHERE l.id = (used.lot).id;
            ELSE
                lot_id := ledger.open_slice(to_jsonb(used.lot), part, worth, p_account, p_transfer, p_at, until);
                -- It was returned to its lot and moved on at once, so that lot has not changed.
                IF used.is_here THEN
                    INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, to_lot, outcome)
                    VALUES (p_transfer, -number, (used.lot).id, part, worth, lot_id, 'moved');
                END IF;
            END IF;
            missing := missing - part;
            EXIT WHEN missing = 0;
        END LOOP;
    END IF;
    IF missing > 0 AND p_terms ->> 'source' IS NOT NULL THEN
        PERFORM ledger.open_lot(p_account, missing, coalesce((p_terms ->> 'paid')::bigint, 0), p_transfer, p_at, p_terms,
            (p_terms ->> 'expires_at')::timestamptz);
    ELSIF missing > 0 THEN
        RAISE EXCEPTION 'credits that arrive name the terms of their lot, or a transfer of which so many can come back'
            USING ERRCODE = 'BU012';
    END IF;
END
$$;

-- Whether a lot can still be spent at p_at if it is extended then.
CREATE OR REPLACE FUNCTION ledger.outlives(
    p_root uuid, p_expires_at timestamptz, p_extended interval, p_days integer, p_at timestamptz
) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN coalesce(p_expires_at > p_at, true)
        OR ledger.renewed_until(p_root, p_expires_at, p_extended, p_days, p_at) IS NOT NULL;
END
$$;

-- Whether a lot is from a sale of an agent after p_sold_until: its buyer can still return the agent.
CREATE OR REPLACE FUNCTION ledger.is_returnable(
    p_transfer uuid, p_opened_at timestamptz, p_sold_until timestamptz
) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN p_opened_at > p_sold_until AND EXISTS (
        SELECT FROM ledger.transfers t WHERE t.id = p_transfer AND t.kind = 'marketplace.sold'
    );
END
$$;

-- Whether a lot is from a payment in p_frozen, received after the time given there.
CREATE OR REPLACE FUNCTION ledger.is_frozen(p_payment_id text, p_opened_at timestamptz, p_frozen jsonb) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce(p_opened_at > (p_frozen ->> p_payment_id)::timestamptz, false);

-- Whether the terms of a posting allow it to take from a lot, see `ledger.move_lots`. Expired lots are not taken.
CREATE OR REPLACE FUNCTION ledger.may_take(p_lot ledger.lots, p_terms jsonb, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (p_lot.expires_at IS NULL OR p_lot.expires_at > p_at OR NOT p_lot.lapses)
        AND CASE p_terms ->> 'only' WHEN 'paid' THEN p_lot.paid > 0 WHEN 'granted' THEN p_lot.paid = 0
            WHEN 'taxed' THEN p_lot.paid > 0 AND p_lot.taxed WHEN 'untaxed' THEN p_lot.paid > 0 AND NOT p_lot.taxed
            ELSE true END
        AND (p_terms ->> 'besides' IS NULL OR p_lot.source <> p_terms ->> 'besides' AND (p_lot.source <> 'refund'
            OR NOT EXISTS (SELECT FROM ledger.lots r WHERE r.id = p_lot.root_id AND r.source = p_terms ->> 'besides')))
        AND (p_terms ->> 'lasting' IS NULL OR ledger.outlives(p_lot.root_id, p_lot.expires_at, p_lot.extended,
            (p_terms ->> 'renew_days')::integer, p_at))
        AND (p_terms ->> 'sold_until' IS NULL OR NOT ledger.is_returnable(p_lot.transfer_id, p_lot.opened_at,
            (p_terms ->> 'sold_until')::timestamptz))
        AND (p_terms -> 'frozen' IS NULL
            OR NOT ledger.is_frozen(p_lot.payment_id, p_lot.opened_at, p_terms -> 'frozen'));
END
$$;

-- Moves the lots of one leg, whose balances are moved and locked. It takes lots in the order of spending: priority,
-- expiry, granted ones first, without expired ones. An account without lots uses them up. p_terms:
--   source, expires_at, paid, paid_asset, payment_id, id, priority, taxed: of the lot opened for credits from an account
--     without lots; the source `earnings` is also that of the lots opened for moved lots
--   returns: the transfer whose credits are returned, or several
--   first: the payment whose lots are taken before all others
--   only: take only `paid` or `granted` lots, or of the paid ones `taxed` or `untaxed`; with `returns`, return only these
--   besides: a source whose lots, and refunds to them, are not taken
--   lasting: take no lots that have expired on arrival
--   sold_until: take no lots from sales of an agent since then
--   frozen: payments, each with a time, whose lots received since then are not taken
--   share: {platform, credits, money, asset}: leave the platform's part of each lot, `platform` credits in all, for a later
--     leg, and take the payee's part of the cost of both, see `ledger.shared_cost`. `credits` and `money` are the list
--     price, in minor units; without it a discount is shared as well
--   outcome: `used`, `commission`, `reversed`, `paid_out`, or `expired`, which takes expired lots only
--   slices: take exactly these amounts of lots
--   renew_days: see `ledger.renewed_until`
-- BU001: the lots that can be taken do not suffice. BU012: see `ledger.bring_lots`.
CREATE OR REPLACE FUNCTION ledger.move_lots(
    p_transfer uuid, p_leg integer, p_source bigint, p_from boolean, p_destination bigint, p_into boolean,
    p_amount bigint, p_at timestamptz, p_terms jsonb, p_hold uuid DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    slices refcursor;
    slice record;
    missing bigint := p_amount;
    platform bigint;
    gross bigint;
    part bigint;
    worth bigint;
    lot_id uuid;
    moving ledger.lots;
BEGIN
    IF NOT p_from THEN
        PERFORM ledger.bring_lots(p_transfer, p_destination, p_amount, p_at, p_terms);
        RETURN;
    END IF;
    -- Most postings use up a part of one lot: that takes one statement.
    IF NOT p_into AND p_terms IS NULL AND p_hold IS NULL THEN
        UPDATE ledger.lots l
        SET remaining = l.remaining - p_amount, is_open = l.remaining > p_amount,
            costed = l.costed + CASE WHEN l.paid = 0 THEN 0 ELSE ledger.slice_cost(
                l.paid, l.costed, l.amount, l.amount - l.remaining + p_amount) END
        WHERE l.id = (
            SELECT o.id FROM ledger.lots o
            WHERE o.account_id = p_source AND o.is_open AND o.remaining > o.held
              AND (o.expires_at IS NULL OR o.expires_at > p_at OR NOT o.lapses)
            ORDER BY o.priority, o.expires_at, o.paid > 0, o.id LIMIT 1
        ) AND l.remaining - l.held >= p_amount
        RETURNING l.id, new.costed - old.costed INTO lot_id, worth;
        IF FOUND THEN
            INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome)
            VALUES (p_transfer, p_leg, lot_id, p_amount, worth, 'used');
            RETURN;
        END IF;
    END IF;
    IF p_hold IS NOT NULL AND (p_terms ? 'slices') IS NOT TRUE THEN
        OPEN slices FOR
            SELECT l AS lot, h.amount AS free FROM ledger.hold_lots h JOIN ledger.lots l ON l.id = h.lot_id
            WHERE h.hold_id = p_hold ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSIF p_terms IS NULL THEN
        OPEN slices FOR
            SELECT l AS lot, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_source AND l.is_open AND l.remaining > l.held
              AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSIF p_terms ? 'slices' THEN
        OPEN slices FOR
            SELECT l AS lot, least(n.amount, l.remaining - l.held) AS free
            FROM jsonb_to_recordset(p_terms -> 'slices') AS n (id uuid, amount bigint)
            JOIN ledger.lots l ON l.id = n.id
            WHERE l.account_id = p_source AND l.is_open AND l.remaining > l.held ORDER BY l.id;
    ELSIF p_terms ->> 'outcome' = 'expired' THEN
        OPEN slices FOR
            SELECT l AS lot, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_source AND l.is_open AND l.lapses AND l.expires_at <= p_at AND l.remaining > l.held
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSIF p_terms ? 'first' THEN
        OPEN slices FOR
            SELECT l AS lot, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_source AND l.is_open AND l.remaining > l.held
              AND l.payment_id = p_terms ->> 'first' AND ledger.may_take(l, p_terms, p_at)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSE
        -- In exactly the order of the index, so that only the taken lots are read.
        OPEN slices FOR
            SELECT l AS lot, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_source AND l.is_open AND l.remaining > l.held
              AND ledger.may_take(l, p_terms, p_at)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    END IF;
    LOOP
        FETCH slices INTO slice;
        EXIT WHEN NOT FOUND;
        IF p_terms ? 'share' THEN
            platform := coalesce(platform, (p_terms -> 'share' ->> 'platform')::bigint);
            gross := least(missing + platform, slice.free);
            part := ceil(missing::numeric * gross / (missing + platform));
            platform := platform - (gross - part);
            worth := ledger.shared_cost(slice.lot, gross, part, p_terms -> 'share');
        ELSE
            part := least(missing, slice.free);
            worth := ledger.slice_cost((slice.lot).paid, (slice.lot).costed, (slice.lot).amount,
                (slice.lot).amount - (slice.lot).remaining + part);
        END IF;
        UPDATE ledger.lots l
        SET remaining = l.remaining - part, costed = l.costed + worth, is_open = l.remaining > part
        WHERE l.id = (slice.lot).id;
        IF p_into THEN
            moving := slice.lot;
            IF p_terms ->> 'source' = 'earnings' THEN
                moving.source := 'earnings';
                moving.taxed := false;
            END IF;
            lot_id := ledger.arrive(moving, part, worth, p_destination, p_transfer, p_at,
                (p_terms ->> 'renew_days')::integer);
        END IF;
        INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, to_lot, outcome)
        VALUES (p_transfer, p_leg, (slice.lot).id, part, worth, lot_id,
            CASE WHEN p_into THEN 'moved' ELSE coalesce(p_terms ->> 'outcome', 'used') END);
        missing := missing - part;
        EXIT WHEN missing = 0;
    END LOOP;
    CLOSE slices;
    IF missing > 0 AND p_terms ? 'first' AND p_hold IS NULL AND NOT p_terms ? 'slices' THEN
        -- The payment's own lots are used up.
        PERFORM ledger.move_lots(p_transfer, p_leg, p_source, p_from, p_destination, p_into, missing, p_at,
            p_terms - 'first', p_hold);
    ELSIF missing > 0 THEN
        PERFORM ledger.refuse_funds(p_source, p_amount, p_transfer::text, p_at);
    END IF;
END
$$;

-- Moves the lots of the legs of transfers, in the order of the arrays; p_lots has the terms of each leg, or of all.
CREATE OR REPLACE FUNCTION ledger.move_leg_lots(
    p_transfers uuid[], p_sources bigint[], p_destinations bigint[], p_amounts bigint[], p_at timestamptz, p_lots jsonb,
    p_hold uuid
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    leg record;
BEGIN
    FOR leg IN
        SELECT l.*, s.lots AS s_lots, d.lots AS d_lots,
            row_number() OVER (PARTITION BY l.transfer_id ORDER BY l.ord)::integer AS number,
            CASE jsonb_typeof(p_lots) WHEN 'array' THEN nullif(p_lots -> (l.ord::integer - 1), 'null')
                ELSE p_lots END AS terms,
            -- The cost of commission is recognised as such, see `ledger.lot_costs`.
            CASE d.path WHEN 'platform/commission' THEN jsonb '{"outcome": "commission"}' END AS known
        FROM unnest(p_transfers, p_sources, p_destinations, p_amounts) WITH ORDINALITY
            AS l (transfer_id, source, destination, amount, ord)
        JOIN ledger.accounts s ON s.id = l.source JOIN ledger.accounts d ON d.id = l.destination
        ORDER BY l.ord
    LOOP
        IF leg.s_lots OR leg.d_lots THEN
            PERFORM ledger.move_lots(leg.transfer_id, leg.number, leg.source, leg.s_lots, leg.destination, leg.d_lots,
                leg.amount, p_at, coalesce(leg.terms || leg.known, leg.known, leg.terms),
                CASE WHEN leg.s_lots THEN p_hold END);
        END IF;
    END LOOP;
END
$$;

-- Pins the lots of a hold, in the order of spending. With `pins_of` in p_lots it pins exactly the uncaptured pins of
-- that hold, expired or not: a successor keeps its lots. With `slices` it pins exactly these, expired or not, and with
-- `only` the lots that `ledger.move_lots` takes with it. BU001: see `ledger.move_lots`.
CREATE OR REPLACE FUNCTION ledger.pin_lots(
    p_hold uuid, p_account bigint, p_amount bigint, p_at timestamptz, p_lots jsonb, p_key text
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    slices refcursor;
    slice record;
    missing bigint := p_amount;
    part bigint;
BEGIN
    IF p_lots IS NULL THEN
        OPEN slices FOR
            SELECT l.id, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held
              AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSIF p_lots ? 'slices' THEN
        OPEN slices FOR
            SELECT l.id, least(n.amount, l.remaining - l.held) AS free
            FROM jsonb_to_recordset(p_lots -> 'slices') AS n (id uuid, amount bigint)
            JOIN ledger.lots l ON l.id = n.id
            WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held ORDER BY l.id;
    ELSIF p_lots ? 'only' THEN
        OPEN slices FOR
            SELECT l.id, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held AND ledger.may_take(l, p_lots, p_at)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSE
        -- A capture takes pins in the order of spending, so the last of them are left.
        OPEN slices FOR
            SELECT r.id, least(r.amount, r.upto - r.captured) AS free FROM (
                SELECT l.id, p.amount, h.captured,
                    row_number() OVER spending AS place, (sum(p.amount) OVER spending)::bigint AS upto
                FROM ledger.hold_lots p JOIN ledger.lots l ON l.id = p.lot_id JOIN ledger.holds h ON h.id = p.hold_id
                WHERE p.hold_id = (p_lots ->> 'pins_of')::uuid
                WINDOW spending AS (ORDER BY l.priority, l.expires_at, l.paid > 0, l.id)
            ) r
            WHERE r.upto > r.captured ORDER BY r.place;
    END IF;
    LOOP
        FETCH slices INTO slice;
        EXIT WHEN NOT FOUND;
        part := least(missing, slice.free);
        UPDATE ledger.lots l SET held = l.held + part WHERE l.id = slice.id;
        INSERT INTO ledger.hold_lots (hold_id, lot_id, amount) VALUES (p_hold, slice.id, part);
        missing := missing - part;
        EXIT WHEN missing = 0;
    END LOOP;
    CLOSE slices;
    IF missing > 0 THEN
        PERFORM ledger.refuse_funds(p_account, p_amount, p_key, p_at);
    END IF;
END
$$;

-- Releases the pins of ended holds; their balances are locked.
CREATE OR REPLACE FUNCTION ledger.unpin_lots(p_holds uuid[]) RETURNS void
LANGUAGE sql
AS $$
    UPDATE ledger.lots l SET held = l.held - n.amount
    FROM (
        SELECT h.lot_id, sum(h.amount)::bigint AS amount FROM ledger.hold_lots h WHERE h.hold_id = ANY (p_holds)
        GROUP BY h.lot_id
    ) n
    WHERE l.id = n.lot_id
$$;

-- Books the expiry of up to p_limit lots that had expired at p_now, one transfer for each account, and returns how many
-- there were. Several sweepers may run at once: they skip locked accounts.
CREATE OR REPLACE FUNCTION ledger.expire_lots(p_now timestamptz, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    breakage bigint := (ledger.open_account('platform/breakage', 'CREDIT', NULL, 'revenue', NULL, 64::smallint)).account_id;
    accounts bigint[];
    due record;
    total integer := 0;
BEGIN
    -- `amount > 0` is the condition of the index for this query.
    accounts := ARRAY(
        SELECT l.account_id FROM ledger.lots l
        WHERE l.is_open AND l.lapses AND l.expires_at <= p_now AND l.amount > 0 AND l.remaining > l.held
        ORDER BY l.expires_at LIMIT p_limit
    );
    -- All of them before the first posting, which locks a balance of the platform.
    accounts := ARRAY(
        SELECT b.account_id FROM ledger.balances b WHERE b.account_id = ANY (accounts) AND b.stripe = 0
        ORDER BY b.account_id FOR NO KEY UPDATE SKIP LOCKED
    );
    FOR due IN
        SELECT b.account_id, b.org_id, b.version, n.amount, n.number
        FROM ledger.balances b, LATERAL (
            SELECT sum(d.free)::bigint AS amount, count(*)::integer AS number FROM (
                SELECT l.remaining - l.held AS free FROM ledger.lots l
                WHERE l.account_id = b.account_id AND l.is_open AND l.lapses AND l.expires_at <= p_now
                  AND l.remaining > l.held
                LIMIT p_limit
            ) d
        ) n
        WHERE b.account_id = ANY (accounts) AND b.stripe = 0 AND n.number > 0
        ORDER BY b.account_id
    LOOP
        PERFORM ledger.post('lots.expired:' || due.account_id || ':' || due.version, 'credit.expired', due.account_id,
            breakage, due.amount, NULL, p_now, due.org_id, NULL, '{"outcome": "expired"}');
        INSERT INTO ledger.credit_days AS d (org_id, day, expired)
        VALUES (due.org_id, (p_now AT TIME ZONE 'UTC')::date, due.amount)
        ON CONFLICT (org_id, day) DO UPDATE SET expired = d.expired + excluded.expired;
        total := total + due.number;
    END LOOP;
    RETURN total;
END
$$;

-- The granted part of the next p_amount credits that leave an account, and the paid part of the p_platform credits
-- after them.
CREATE OR REPLACE FUNCTION ledger.granted_part(
    p_account bigint, p_amount bigint, p_platform bigint, p_at timestamptz, OUT granted bigint, OUT platform_paid bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(least(r.free, p_amount - r.before)) FILTER (WHERE r.paid = 0 AND r.before < p_amount), 0)::bigint,
        coalesce(sum(least(r.before + r.free, p_amount + p_platform) - greatest(r.before, p_amount))
            FILTER (WHERE r.paid > 0 AND r.before + r.free > p_amount), 0)::bigint
    FROM (
        SELECT l.paid, l.remaining - l.held AS free, coalesce(sum(l.remaining - l.held) OVER (
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
        FROM ledger.lots l
        WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held
          AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
    ) r WHERE r.before < p_amount + p_platform
$$;

-- The part of an agent's earnings that can be converted to credits of its organization; without earnings from its sales
-- since p_sold_until, and without frozen ones, see `ledger.move_lots`.
CREATE OR REPLACE FUNCTION ledger.convertible(
    p_account bigint, p_days integer, p_at timestamptz, p_sold_until timestamptz DEFAULT NULL,
    p_frozen jsonb DEFAULT NULL
) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(l.remaining - l.held), 0)::bigint FROM ledger.lots l
    WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held
      AND ledger.outlives(l.root_id, l.expires_at, l.extended, p_days, p_at)
      AND (p_sold_until IS NULL OR NOT ledger.is_returnable(l.transfer_id, l.opened_at, p_sold_until))
      AND (p_frozen IS NULL OR NOT ledger.is_frozen(l.payment_id, l.opened_at, p_frozen))
$$;
