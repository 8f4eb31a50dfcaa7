-- Functions that edit, discard, finalise and number invoices: the platform's role cannot write finalised invoices.

-- Replaces the contents of a draft; returns whether it was a draft.
CREATE OR REPLACE FUNCTION invoice_edit(
    p_id text, p_lines jsonb, p_discounts jsonb, p_sum bigint, p_note text, p_at timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE invoices i
    SET lines = p_lines, discounts = p_discounts, subtotal_minor = p_sum, total_minor = p_sum, note = p_note, updated_at = p_at
    WHERE i.id = p_id AND i.status = 'draft' AND i.discarded_at IS NULL;
    RETURN FOUND;
END
$$;

-- Discards a draft permanently; returns whether it was a draft.
CREATE OR REPLACE FUNCTION invoice_discard(p_id text, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE invoices i SET discarded_at = p_at, updated_at = p_at
    WHERE i.id = p_id AND i.status = 'draft' AND i.discarded_at IS NULL;
    RETURN FOUND;
END
$$;

-- Opens the account of a leg, as described in domain/common/accounts.py.
CREATE OR REPLACE FUNCTION invoice_account(p_account jsonb) RETURNS bigint
LANGUAGE sql
AS $$
    SELECT o.account_id FROM ledger.open_account(p_account ->> 'path', p_account ->> 'asset', p_account ->> 'org',
        p_account ->> 'kind', (p_account ->> 'floor')::bigint, (p_account ->> 'stripes')::smallint,
        (p_account ->> 'lots')::boolean, (p_account ->> 'lapse')::boolean) o
$$;

-- Posts an invoice's postings as one transfer, and returns it; NULL without postings. p_accounts is in a fixed order,
-- because two transactions that open the same accounts wait for each other; p_legs refers to them by index: [{"source",
-- "destination", "amount", "lots"}].
CREATE OR REPLACE FUNCTION invoice_post(
    p_id text, p_org text, p_accounts jsonb, p_legs jsonb, p_key text, p_at timestamptz
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    made uuid;
    ids bigint[];
BEGIN
    IF jsonb_array_length(p_legs) = 0 THEN
        RETURN NULL;
    END IF;
    ids := ARRAY(
        SELECT invoice_account(a.account) FROM jsonb_array_elements(p_accounts) WITH ORDINALITY AS a (account, ord)
        ORDER BY a.ord
    );
    SELECT p.transfer_id INTO STRICT made
    FROM (
        SELECT array_agg(ids[(l.leg ->> 'source')::integer] ORDER BY l.ord) AS sources,
            array_agg(ids[(l.leg ->> 'destination')::integer] ORDER BY l.ord) AS destinations,
            array_agg((l.leg ->> 'amount')::bigint ORDER BY l.ord) AS amounts,
            CASE WHEN bool_or(l.leg ? 'lots') THEN jsonb_agg(l.leg -> 'lots' ORDER BY l.ord) END AS lots
        FROM jsonb_array_elements(p_legs) WITH ORDINALITY AS l (leg, ord)
    ) a, LATERAL ledger.post_legs(p_key, 'invoice.issued', a.sources, a.destinations, a.amounts, p_id, p_at, p_org,
        NULL, a.lots) p;
    RETURN made;
END
$$;

-- Finalises a draft that the caller has locked: writes its amounts and posts its postings. Returns the transfer, NULL
-- without postings.
CREATE OR REPLACE FUNCTION invoice_finalise(
    p_id text, p_sums jsonb, p_lines jsonb, p_discounts jsonb, p_taxes jsonb, p_party jsonb, p_status text, p_proven boolean,
    p_accounts jsonb, p_legs jsonb, p_key text, p_at timestamptz, p_due_at timestamptz, p_command text
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    made uuid;
    v_org text;
BEGIN
    SELECT i.org_id INTO STRICT v_org FROM invoices i
    WHERE i.id = p_id AND i.status = 'draft' AND i.discarded_at IS NULL;
    made := invoice_post(p_id, v_org, p_accounts, p_legs, p_key, p_at);
    UPDATE invoices i
    SET status = p_status, lines = p_lines, discounts = p_discounts, taxes = p_taxes, party = p_party, is_proven = p_proven,
        subtotal_minor = (p_sums ->> 'subtotal')::bigint, tax_minor = (p_sums ->> 'tax')::bigint,
        total_minor = (p_sums ->> 'total')::bigint, prepaid_minor = (p_sums ->> 'prepaid')::bigint,
        rounded_minor = coalesce((p_sums ->> 'rounded')::bigint, 0),
        prepaid_credits_minor = (p_sums ->> 'prepaid_credits')::bigint, granted_minor = (p_sums ->> 'granted')::bigint,
        granted_credits_minor = (p_sums ->> 'granted_credits')::bigint,
        taxed_minor = coalesce((p_sums ->> 'taxed')::bigint, 0),
        taxed_credits_minor = coalesce((p_sums ->> 'taxed_credits')::bigint, 0), issued_at = p_at, due_at = p_due_at,
        updated_at = p_at, transfer_id = made, finalise_command_id = p_command
    WHERE i.id = p_id AND i.status = 'draft';
    RETURN made;
END
$$;

-- Gives a finalised invoice the number that the caller took from its sequence.
CREATE OR REPLACE FUNCTION invoice_number(p_id text, p_number text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE invoices i SET number = p_number WHERE i.id = p_id AND i.number IS NULL AND i.status <> 'draft'
$$;

-- Numbers up to p_limit finalised invoices of a series in the order of finalisation, and returns how many there were.
-- The sequence is locked until the transaction ends: call it alone in a transaction.
CREATE OR REPLACE FUNCTION invoice_number_page(p_series text, p_prefix text, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    ids text[];
    upto bigint;
BEGIN
    -- First, so that two pages never choose among the same ones.
    INSERT INTO number_sequences AS n (name, last) VALUES (p_series, 0)
    ON CONFLICT (name) DO UPDATE SET last = n.last;
    ids := ARRAY(
        SELECT i.id FROM invoices i WHERE i.series = p_series AND i.number IS NULL AND i.status <> 'draft'
        ORDER BY i.issued_at, i.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    );
    UPDATE number_sequences n SET last = n.last + cardinality(ids) WHERE n.name = p_series RETURNING n.last INTO upto;
    UPDATE invoices i
    SET number = p_prefix || CASE WHEN c.n < 1000000 THEN lpad(c.n::text, 6, '0') ELSE c.n::text END
    FROM (
        SELECT l.id, upto - cardinality(ids) + l.ord AS n FROM unnest(ids) WITH ORDINALITY AS l (id, ord)
    ) c
    WHERE i.id = c.id;
    RETURN cardinality(ids);
END
$$;

GRANT EXECUTE ON FUNCTION invoice_edit, invoice_discard, invoice_finalise, invoice_number, invoice_number_page,
    invoice_account, invoice_post TO bursar_platform;
