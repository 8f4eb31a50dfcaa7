-- Invoices an organization for a period in the calling statement; returns false, without effect, if it was invoiced
-- before. It runs with the rights of its caller.
--
-- p: "period" is a row of billed_periods; "invoice" a finalised row of invoices, null if nothing is to be paid; its
-- postings as for `invoice_post`: "accounts", "legs", "key"; "items" the ids of its items; "bills" [{"month",
-- "number"}] and "sums" [{"month", "number", "source", "ref", "pico", "line"}] of usage, with "discount_bps" and
-- "markup_e6"; "audit" and "alert" rows of these tables, or null.
--
-- The period is inserted first: a second run waits for it, and then finds it. 40001: an item or a bill was invoiced by
-- another transaction since it was read.
CREATE OR REPLACE FUNCTION billing_run_invoice(p jsonb) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    v_org text := p #>> '{period,org_id}';
    v_at timestamptz := p #>> '{period,done_at}';
    v_invoice text := p #>> '{invoice,id}';
    v_made uuid;
    v_found bigint;
BEGIN
    INSERT INTO billed_periods AS b (org_id, month, starts_at, ends_at, status, terms_version, currency, charges_minor,
        usage_minor, shortfall_minor, total_minor, invoice_id, failure, done_at)
    SELECT r.org_id, r.month, r.starts_at, r.ends_at, r.status, r.terms_version, r.currency, r.charges_minor,
        r.usage_minor, r.shortfall_minor, r.total_minor, v_invoice, NULL, r.done_at
    FROM jsonb_populate_record(NULL::billed_periods, p -> 'period') r
    ON CONFLICT (org_id, month) DO UPDATE
    SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = excluded.status,
        terms_version = excluded.terms_version, currency = excluded.currency, charges_minor = excluded.charges_minor,
        usage_minor = excluded.usage_minor, shortfall_minor = excluded.shortfall_minor,
        total_minor = excluded.total_minor, invoice_id = excluded.invoice_id, failure = NULL, done_at = excluded.done_at
    WHERE b.status = 'failed';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF v_invoice IS NOT NULL THEN
        v_made := invoice_post(v_invoice, v_org, p -> 'accounts', p -> 'legs', p ->> 'key', v_at);
        INSERT INTO invoices (id, org_id, series, status, currency, subtotal_minor, tax_minor, total_minor, paid_minor,
            prepaid_minor, prepaid_credits_minor, granted_minor, granted_credits_minor, taxed_minor, taxed_credits_minor,
            rounded_minor, lines, discounts, taxes, party, includes_tax, applies_credits, is_proven, note, issued_at, due_at, updated_at, transfer_id, created_by,
            command_id, finalise_command_id)
        SELECT r.id, r.org_id, r.series, r.status, r.currency, r.subtotal_minor, r.tax_minor, r.total_minor, 0,
            r.prepaid_minor, r.prepaid_credits_minor, r.granted_minor, r.granted_credits_minor, r.taxed_minor,
            r.taxed_credits_minor, coalesce(r.rounded_minor, 0), r.lines, r.discounts, r.taxes, nullif(r.party, 'null'), r.includes_tax, r.applies_credits, r.is_proven, r.note, r.issued_at, r.due_at,
            r.issued_at, v_made, r.created_by, r.command_id, r.finalise_command_id
        FROM jsonb_populate_record(NULL::invoices, p -> 'invoice') r;
        INSERT INTO audit_log (org_id, principal, role, action, target, details)
        SELECT v_org, r.principal, r.role, r.action, v_invoice, r.details
        FROM jsonb_populate_record(NULL::audit_log, p -> 'audit') r;
        IF jsonb_typeof(p -> 'alert') = 'object' THEN
            INSERT INTO alerts (id, key, kind, subject, detail, org_id, shared, for_operators)
            SELECT r.id, r.key, r.kind, r.subject, r.detail, v_org, false, true
            FROM jsonb_populate_record(NULL::alerts, p -> 'alert') r
            ON CONFLICT (key) DO NOTHING;
        END IF;
        IF jsonb_array_length(p -> 'items') > 0 THEN
            UPDATE invoice_items i SET invoice_id = v_invoice
            FROM jsonb_array_elements_text(p -> 'items') AS n (id)
            WHERE i.id = n.id AND i.invoice_id IS NULL AND i.removed_at IS NULL;
            GET DIAGNOSTICS v_found = ROW_COUNT;
            IF v_found <> jsonb_array_length(p -> 'items') THEN
                RAISE EXCEPTION 'an item of % was removed while it was invoiced', v_org USING ERRCODE = '40001';
            END IF;
        END IF;
    END IF;
    IF jsonb_array_length(p -> 'bills') > 0 THEN
        UPDATE usage_bills b
        SET invoice_id = v_invoice, billed_at = v_at, discount_bps = (p ->> 'discount_bps')::bigint,
            markup_e6 = (p ->> 'markup_e6')::bigint
        FROM jsonb_to_recordset(p -> 'bills') AS n (month date, number bigint)
        WHERE b.org_id = v_org AND b.month = n.month AND b.number = n.number AND b.billed_at IS NULL
            AND b.sealed_at IS NOT NULL;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        IF v_found <> jsonb_array_length(p -> 'bills') THEN
            RAISE EXCEPTION 'a bill of % was billed while it was invoiced', v_org USING ERRCODE = '40001';
        END IF;
        UPDATE usage_bill_sums s SET pico = n.pico, line = n.line
        FROM jsonb_to_recordset(p -> 'sums')
            AS n (month date, number bigint, source text, ref text, pico numeric, line bigint)
        WHERE s.org_id = v_org AND (s.month, s.number, s.source, s.ref) = (n.month, n.number, n.source, n.ref);
    END IF;
    RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION billing_run_invoice TO bursar_platform;
