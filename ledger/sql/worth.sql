-- The worth of credits in money: the price of each lot, at the present exchange rates.

-- Stores the price of one asset in another from a time on, until it expires; NULL never expires. Without a source it is
-- set by an operator or a setting.
CREATE OR REPLACE FUNCTION ledger.set_rate(
    p_base text, p_quote text, p_base_minor bigint, p_quote_minor bigint, p_starts_at timestamptz,
    p_ends_at timestamptz DEFAULT NULL, p_source text DEFAULT 'operator'
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    newest ledger.rates;
BEGIN
    SELECT * INTO newest FROM ledger.rates r
    WHERE r.base = p_base AND r.quote = p_quote AND r.starts_at <= p_starts_at
        AND (r.source = 'operator') = (p_source = 'operator') ORDER BY r.starts_at DESC LIMIT 1;
    IF (newest.base_minor, newest.quote_minor, newest.ends_at, newest.source)
        IS DISTINCT FROM (p_base_minor, p_quote_minor, p_ends_at, p_source) THEN
        INSERT INTO ledger.rates (base, quote, base_minor, quote_minor, starts_at, ends_at, source)
        VALUES (p_base, p_quote, p_base_minor, p_quote_minor, p_starts_at, p_ends_at, p_source)
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- The rate of a pair at a time. A rate set by an operator takes precedence over a read one, unless it has expired; if
-- both have, it is the last to begin.
CREATE OR REPLACE FUNCTION ledger.rate_at(p_base text, p_quote text, p_at timestamptz) RETURNS SETOF ledger.rates
LANGUAGE sql STABLE
AS $$
    SELECT r.* FROM (
        (SELECT s.* FROM ledger.rates s
        WHERE s.base = p_base AND s.quote = p_quote AND s.starts_at <= p_at AND s.source = 'operator'
        ORDER BY s.starts_at DESC LIMIT 1)
        UNION ALL
        (SELECT s.* FROM ledger.rates s
        WHERE s.base = p_base AND s.quote = p_quote AND s.starts_at <= p_at AND s.source <> 'operator'
        ORDER BY s.starts_at DESC LIMIT 1)
    ) r
    ORDER BY (r.ends_at > p_at) IS NOT FALSE DESC, (r.ends_at > p_at) IS NOT FALSE AND r.source = 'operator' DESC,
        r.starts_at DESC
    LIMIT 1
$$;

-- The minor units of p_in per minor unit of p_asset, as a fraction, by the price of a credit in both. NULL without a
-- rate in force; with p_any the last one is used.
CREATE OR REPLACE FUNCTION ledger.cross_rate(
    p_asset text, p_in text, p_at timestamptz, p_any boolean, OUT up numeric, OUT down numeric
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    price ledger.rates;
    target ledger.rates;
BEGIN
    IF p_asset = p_in THEN
        up := 1;
        down := 1;
        RETURN;
    END IF;
    SELECT * INTO price FROM ledger.rate_at('CREDIT', p_asset, p_at);
    SELECT * INTO target FROM ledger.rate_at('CREDIT', p_in, p_at);
    IF price.quote_minor > 0 AND target.quote_minor IS NOT NULL AND (p_any OR least(price.ends_at, target.ends_at) <= p_at IS NOT TRUE) THEN
        up := target.quote_minor::numeric * price.base_minor;
        down := price.quote_minor::numeric * target.base_minor;
    END IF;
END
$$;

-- An amount of money in another currency, rounded up. NULL as above.
CREATE OR REPLACE FUNCTION ledger.money_in(p_amount bigint, p_asset text, p_in text, p_at timestamptz, p_any boolean)
RETURNS bigint
LANGUAGE sql STABLE
AS $$
    SELECT ceil(p_amount * r.up / r.down)::bigint FROM ledger.cross_rate(p_asset, p_in, p_at, p_any) r
$$;

-- The worth of a minor unit of granted credits in minor units of p_in, as a fraction; `stated_in` is the currency of
-- the stated value. NULL as above.
CREATE OR REPLACE FUNCTION ledger.granted_rate(
    p_in text, p_at timestamptz, p_any boolean, OUT up numeric, OUT down numeric, OUT stated_in text
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    stated ledger.rates;
    crossing record;
BEGIN
    SELECT * INTO stated FROM ledger.rates r
    WHERE r.base = 'GRANTED' AND r.starts_at <= p_at ORDER BY r.starts_at DESC LIMIT 1;
    IF NOT FOUND THEN
        -- Before a value was ever stated, credits are worth their selling price.
        SELECT * INTO stated FROM ledger.rate_at('CREDIT', p_in, p_at) r WHERE p_any OR r.ends_at <= p_at IS NOT TRUE;
    END IF;
    stated_in := stated.quote;
    SELECT * INTO crossing FROM ledger.cross_rate(stated.quote, p_in, p_at, p_any);
    up := stated.quote_minor * crossing.up;
    down := stated.base_minor * crossing.down;
END
$$;

-- The worth of the whole p_lot in minor units of p_in, as a fraction: its price, or if it was granted or its currency
-- has no rate, the stated value of granted credits. NULL if neither can be converted.
CREATE OR REPLACE FUNCTION ledger.lot_worth(
    p_lot ledger.lots, p_in text, p_at timestamptz, p_any boolean, OUT up numeric, OUT down numeric
)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF p_lot.paid > 0 AND p_lot.paid_asset = p_in THEN
        up := p_lot.paid;
        down := 1;
        RETURN;
    ELSIF p_lot.paid > 0 THEN
        SELECT p_lot.paid * r.up, r.down INTO up, down FROM ledger.cross_rate(p_lot.paid_asset, p_in, p_at, p_any) r;
    END IF;
    IF up IS NULL THEN
        SELECT p_lot.amount * r.up, r.down INTO up, down FROM ledger.granted_rate(p_in, p_at, p_any) r;
    END IF;
END
$$;

-- The exact total worth of slices of lots, [{"id", "amount"}]. NULL if one of them cannot be converted, or without any.
CREATE OR REPLACE FUNCTION ledger.slices_worth(
    p_slices jsonb, p_in text, p_at timestamptz, p_any boolean DEFAULT true
) RETURNS numeric
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN count(*) = count(w.up) THEN sum(n.amount * w.up / (l.amount * w.down)) END
    FROM jsonb_to_recordset(p_slices) AS n (id uuid, amount bigint)
    JOIN ledger.lots l ON l.id = n.id, LATERAL ledger.lot_worth(l, p_in, p_at, p_any) w
$$;

-- The rest of p_most that granted credits may still pay of an organization's costs in the month (UTC), in the currency
-- of their stated value; zero for a cost in another currency.
CREATE OR REPLACE FUNCTION ledger.granted_room(p_org text, p_most bigint, p_in text, p_at timestamptz) RETURNS numeric
LANGUAGE sql STABLE
AS $$
    SELECT greatest(0, p_most - coalesce((
        SELECT sum(d.granted_cost) FROM ledger.credit_days d
        WHERE d.org_id = p_org AND d.day >= date_trunc('month', p_at AT TIME ZONE 'UTC')
          AND d.day < date_trunc('month', p_at AT TIME ZONE 'UTC') + interval '1 month'
    ), 0))
    FROM ledger.granted_rate(p_in, p_at, true) g WHERE p_most > 0 AND g.stated_in = p_in
$$;

-- The lots that pay a cost, in the order of spending, or with p_hold in the order of its pins, until their price
-- reaches the cost, rounded up to a minor unit of credits. Granted credits pay up to p_granted of it, and lots that
-- cannot be converted pay nothing. After the cost, p_more credits are taken regardless of their worth.
--   amount: the credits; missing: the unpaid part of the cost; granted: the part paid by granted credits; short: the missing
--     part of p_more
--   slices: the amounts of lots; is_plain: they are the next lots
-- The caller has locked the balance, or only reads.
CREATE OR REPLACE FUNCTION ledger.lots_for(
    p_account bigint, p_cost numeric, p_in text, p_granted numeric, p_at timestamptz, p_any boolean, p_more bigint,
    p_hold uuid, OUT amount bigint, OUT missing numeric, OUT granted numeric, OUT short bigint, OUT slices jsonb,
    OUT is_plain boolean
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    lots refcursor;
    slice record;
    worth record;
    asked numeric;
    needed numeric;
    part bigint;
    more bigint;
    skipped boolean := false;
BEGIN
    amount := 0;
    missing := p_cost;
    granted := 0;
    short := p_more;
    slices := '[]';
    is_plain := true;
    IF p_hold IS NOT NULL THEN
        OPEN lots FOR
            SELECT l AS lot, h.amount AS free FROM ledger.hold_lots h JOIN ledger.lots l ON l.id = h.lot_id
            WHERE h.hold_id = p_hold ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    ELSE
        OPEN lots FOR
            SELECT l AS lot, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held
              AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    END IF;
    WHILE missing > 0 OR short > 0 LOOP
        FETCH lots INTO slice;
        EXIT WHEN NOT FOUND;
        part := 0;
        IF missing > 0 THEN
            worth := ledger.lot_worth(slice.lot, p_in, p_at, p_any);
            asked := CASE WHEN (slice.lot).paid > 0 THEN missing ELSE least(missing, coalesce(p_granted - granted, 0)) END;
            IF worth.up > 0 AND asked > 0 THEN
                -- Rounded up once, from whole numbers: a quotient of numerics is rounded already.
                needed := asked * (slice.lot).amount * worth.down;
                needed := div(needed, worth.up) + CASE WHEN mod(needed, worth.up) > 0 THEN 1 ELSE 0 END;
                IF needed > slice.free THEN
                    asked := trunc(slice.free * worth.up / ((slice.lot).amount * worth.down), 18);
                END IF;
                part := least(needed, slice.free);
                missing := missing - asked;
                granted := granted + CASE WHEN (slice.lot).paid > 0 THEN 0 ELSE asked END;
            END IF;
        END IF;
        IF missing = 0 THEN
            more := least(short, slice.free - part);
            short := short - more;
            part := part + more;
        END IF;
        IF part > 0 THEN
            amount := amount + part;
            slices := slices || jsonb_build_object('id', (slice.lot).id, 'amount', part);
            is_plain := is_plain AND NOT skipped;
        END IF;
        skipped := skipped OR part < slice.free;
    END LOOP;
    CLOSE lots;
END
$$;

-- The slices of lots that a posting of p_amount credits with p_terms takes, see `ledger.may_take`.
CREATE OR REPLACE FUNCTION ledger.next_slices(p_account bigint, p_amount bigint, p_terms jsonb, p_at timestamptz)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_agg(jsonb_build_object('id', r.id, 'amount', least(r.free, p_amount - r.before)))
    FROM (
        SELECT l.id, l.remaining - l.held AS free, coalesce(sum(l.remaining - l.held) OVER (
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
        FROM ledger.lots l
        WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held AND ledger.may_take(l, p_terms, p_at)
    ) r WHERE r.before < p_amount
$$;

-- The worth of p_amount credits from p_slices, or if NULL from the next lots, for limits in money. For each lot it is
-- the price up to this part, rounded up, less the price before it, so that the parts of a lot add up. With p_holds each
-- part is rounded up separately, because holds of one lot end in any order. Credits without a lot count as granted
-- ones. NULL if something cannot be converted; zero for it with p_any.
CREATE OR REPLACE FUNCTION ledger.lots_worth(
    p_account bigint, p_amount bigint, p_slices jsonb, p_in text, p_at timestamptz, p_any boolean,
    p_holds boolean
) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    lots refcursor;
    slice record;
    worth record;
    part bigint;
    gone bigint;
    missing bigint := p_amount;
    total numeric := 0;
BEGIN
    IF p_slices IS NOT NULL THEN
        OPEN lots FOR
            SELECT l AS lot, n.amount AS free FROM jsonb_to_recordset(p_slices) AS n (id uuid, amount bigint)
            JOIN ledger.lots l ON l.id = n.id;
    ELSE
        OPEN lots FOR
            SELECT l AS lot, l.remaining - l.held AS free FROM ledger.lots l
            WHERE l.account_id = p_account AND l.is_open AND l.remaining > l.held
              AND (l.expires_at IS NULL OR l.expires_at > p_at OR NOT l.lapses)
            ORDER BY l.priority, l.expires_at, l.paid > 0, l.id;
    END IF;
    WHILE missing > 0 LOOP
        FETCH lots INTO slice;
        EXIT WHEN NOT FOUND;
        part := least(missing, slice.free);
        gone := CASE WHEN p_holds THEN 0 ELSE (slice.lot).amount - (slice.lot).remaining END;
        worth := ledger.lot_worth(slice.lot, p_in, p_at, p_any);
        IF worth.up IS NOT NULL THEN
            total := total + ceil(worth.up * (gone + part) / ((slice.lot).amount * worth.down))
                - ceil(worth.up * gone / ((slice.lot).amount * worth.down));
        ELSIF NOT p_any THEN
            RETURN NULL;
        END IF;
        missing := missing - part;
    END LOOP;
    CLOSE lots;
    IF missing > 0 THEN
        worth := ledger.granted_rate(p_in, p_at, p_any);
        IF worth.up IS NULL AND NOT p_any THEN
            RETURN NULL;
        END IF;
        total := total + coalesce(ceil(missing * worth.up / worth.down), 0);
    END IF;
    RETURN total;
END
$$;

-- The credits with which an organization would pay a cost now, their worth, and whether it has them. Missing credits
-- count as granted ones. `credits` is NULL if these cannot be converted. p_granted is the maximum that granted credits
-- pay of such costs in a month.
CREATE OR REPLACE FUNCTION ledger.price_cost(
    p_org text, p_cost numeric, p_in text, p_granted bigint, p_at timestamptz, p_any boolean DEFAULT false,
    OUT credits bigint, OUT money numeric, OUT is_covered boolean
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    taken record;
    worth record;
BEGIN
    taken := ledger.lots_for(
        (SELECT a.id FROM ledger.accounts a WHERE a.path = 'org/' || p_org || '/credits' AND a.asset = 'CREDIT'),
        p_cost, p_in, coalesce(ledger.granted_room(p_org, p_granted, p_in, p_at), 0), p_at, p_any, 0, NULL
    );
    money := p_cost;
    is_covered := taken.missing = 0;
    credits := taken.amount;
    IF NOT is_covered THEN
        worth := ledger.granted_rate(p_in, p_at, p_any);
        -- More than anyone has, and twice as many still fit into a bigint.
        credits := CASE WHEN worth.up > 0
            THEN least(credits + ceil(taken.missing * worth.down / worth.up), 4e18) END;
    END IF;
END
$$;

-- The worth of the next p_credits of an organization, and whether it has them. Missing credits count at the price of a
-- single credit. `money` is NULL if something cannot be converted.
CREATE OR REPLACE FUNCTION ledger.price_credits(
    p_org text, p_credits bigint, p_in text, p_at timestamptz, OUT money numeric, OUT is_covered boolean
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    taken record;
BEGIN
    taken := ledger.lots_for(
        (SELECT a.id FROM ledger.accounts a WHERE a.path = 'org/' || p_org || '/credits' AND a.asset = 'CREDIT'),
        0, p_in, 0, p_at, false, p_credits, NULL
    );
    money := CASE WHEN taken.amount > 0 THEN ledger.slices_worth(taken.slices, p_in, p_at, false) ELSE 0 END;
    is_covered := taken.short = 0;
    IF NOT is_covered THEN
        money := money + (
            SELECT taken.short::numeric * r.quote_minor / r.base_minor FROM ledger.rate_at('CREDIT', p_in, p_at) r
            WHERE r.ends_at <= p_at IS NOT TRUE
        );
    END IF;
END
$$;

-- The credits of a spend that are worth an amount of money, rounded down, by the rates at the time of the spend: of its
-- unrefunded credits, first those that became a debt, then the last lots first. Refunds that have paid debts are
-- excluded from the lots, because they were refunded at their worth.
CREATE OR REPLACE FUNCTION ledger.credits_back(p_org text, p_spend uuid, p_money numeric, p_in text) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    spent ledger.spends;
    takers uuid[];
    missing numeric := p_money;
    total numeric := 0;
    part numeric;
    left_over bigint;
    used record;
    worth record;
BEGIN
    SELECT * INTO spent FROM ledger.spends s WHERE s.org_id = p_org AND s.id = p_spend;
    takers := ARRAY(
        SELECT spent.transfer_id
        UNION ALL
        SELECT c.transfer_id FROM ledger.spend_changes c WHERE c.spend_id = p_spend AND c.kind = 'capture'
    );
    worth := ledger.granted_rate(p_in, spent.at, true);
    left_over := spent.captured - spent.refunded - (
        SELECT coalesce(sum(u.amount - u.returned), 0) FROM ledger.lot_uses u
        WHERE u.transfer_id = ANY (takers) AND u.to_lot IS NULL
    );
    total := least(coalesce(div(missing * worth.down, nullif(worth.up, 0)), 0), greatest(0, left_over));
    IF total > 0 THEN
        missing := missing - total * worth.up / worth.down;
    END IF;
    FOR used IN
        SELECT l AS lot, u.amount - u.returned AS there, t.effective_at AS at
        FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id AND l.org_id = p_org
        JOIN ledger.transfers t ON t.id = u.transfer_id
        WHERE u.transfer_id = ANY (takers) AND u.to_lot IS NULL AND u.amount > u.returned
        ORDER BY u.transfer_id DESC, u.leg DESC, l.priority DESC, l.expires_at DESC NULLS FIRST, l.paid > 0 DESC, l.id DESC
    LOOP
        IF left_over < 0 THEN
            part := least(used.there, -left_over);
            used.there := used.there - part;
            left_over := left_over + part;
        END IF;
        worth := ledger.lot_worth(used.lot, p_in, used.at, true);
        CONTINUE WHEN worth.up IS NULL OR worth.up = 0;
        part := least(used.there, div(missing * (used.lot).amount * worth.down, worth.up));
        total := total + part;
        EXIT WHEN part < used.there;
        missing := missing - part * worth.up / ((used.lot).amount * worth.down);
    END LOOP;
    RETURN total;
END
$$;
GRANT EXECUTE ON FUNCTION ledger.set_rate, ledger.rate_at, ledger.cross_rate, ledger.money_in, ledger.granted_rate,
    ledger.granted_room, ledger.lot_worth, ledger.lots_for, ledger.slices_worth, ledger.price_cost,
    ledger.price_credits, ledger.credits_back
TO bursar_platform;
-- Functions with which an organization reads its own lots, under row-level security.
GRANT EXECUTE ON FUNCTION ledger.rate_at, ledger.cross_rate, ledger.granted_rate, ledger.granted_room, ledger.lot_worth,
    ledger.lots_for, ledger.slices_worth, ledger.price_cost, ledger.price_credits TO bursar_api;
