"""The invariants of invoices and the ledger that `verify` checks."""

from ledger.invariants import Invariant

INVARIANTS = (
    Invariant(
        name="each organization's unpaid invoices equal its receivable account",
        table="public.invoices",
        unit="invoices",
        violations="""
        SELECT org_id || ' ' || currency || ': due ' || coalesce(stated, 0) || ', receivable ' || coalesce(held, 0)
        FROM (
            SELECT org_id, currency,
                sum(total_minor - paid_minor - prepaid_minor - rounded_minor - credited_minor - written_off_minor)
                    AS stated
            FROM public.invoices WHERE status NOT IN ('draft', 'void') GROUP BY org_id, currency
        ) i
        FULL JOIN (
            SELECT split_part(a.path, '/', 2) AS org_id, a.asset AS currency, -sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'org/%/receivable/%' GROUP BY a.path, a.asset
        ) r USING (org_id, currency)
        WHERE coalesce(stated, 0) <> coalesce(held, 0)
        """,
    ),
    Invariant(
        name="every invoice equals its lines, and has the transfers that booked and voided it",
        table="public.invoices",
        unit="invoices",
        violations="""
        SELECT id || ': subtotal ' || subtotal_minor || ', lines ' || coalesce(lines_minor::text, 'none') || ', tax ' ||
            tax_minor || ', taxes ' || coalesce(taxes_minor::text, 'none') || ', to be issued ' || receivable ||
            ', issued ' || coalesce(issued::text, 'nothing') || ', ' || status || ' ' ||
            coalesce(voided::text, 'nothing')
        FROM (
            SELECT i.id, i.subtotal_minor, i.tax_minor, i.status,
                i.total_minor - i.prepaid_minor - i.rounded_minor - coalesce(n.settled, 0) AS receivable,
                o.amount AS issued,
                v.amount AS voided, (
                    SELECT sum(coalesce((l ->> 'net_minor')::numeric,
                        (l ->> 'quantity')::numeric * (l ->> 'unit_minor')::numeric))
                    FROM jsonb_array_elements(i.lines) l
                ) AS lines_minor, (
                    SELECT coalesce(sum((t ->> 'tax_minor')::numeric), 0) FROM jsonb_array_elements(i.taxes) t
                ) AS taxes_minor
            FROM public.invoices i
            LEFT JOIN ledger.accounts a
                ON a.path = 'org/' || i.org_id || '/receivable/' || i.currency AND a.asset = i.currency
            LEFT JOIN LATERAL (
                SELECT sum(c.prepaid_minor + c.rounded_minor) AS settled FROM public.credit_notes c
                WHERE c.invoice_id = i.id
            ) n ON true
            LEFT JOIN LATERAL (
                SELECT -sum(e.amount) AS amount FROM ledger.entries e
                WHERE e.transfer_id = i.transfer_id AND e.account_id = a.id
            ) o ON true
            LEFT JOIN LATERAL (
                SELECT sum(e.amount) AS amount FROM ledger.entries e
                WHERE e.transfer_id = i.void_transfer_id AND e.account_id = a.id
            ) v ON true
            WHERE i.status <> 'draft'
        ) compared
        WHERE lines_minor IS DISTINCT FROM subtotal_minor OR taxes_minor <> tax_minor
           OR coalesce(issued, 0) <> receivable
           OR CASE status WHEN 'void' THEN coalesce(voided, 0) <> receivable ELSE voided IS NOT NULL END
        """,
    ),
    Invariant(
        name="each invoice's paid amount equals its payments, in the tables and in the books",
        table="public.invoice_payments",
        unit="payments",
        violations="""
        SELECT i.id || ': paid ' || i.paid_minor || ', payments brought ' || coalesce(sum(p.amount_minor), 0)
        FROM public.invoices i LEFT JOIN public.invoice_payments p ON p.invoice_id = i.id
        GROUP BY i.id HAVING i.paid_minor <> coalesce(sum(p.amount_minor), 0)
        UNION ALL
        SELECT payment_id || ': paid ' || coalesce(stated, 0) || ' of invoices, by the books ' || coalesce(booked, 0)
        FROM (
            SELECT payment_id, sum(amount_minor) AS stated FROM public.invoice_payments GROUP BY payment_id
        ) p
        FULL JOIN (
            SELECT t.reference AS payment_id, sum(e.amount) AS booked
            FROM ledger.accounts a
            JOIN ledger.entries e ON e.account_id = a.id
            JOIN ledger.transfers t ON t.id = e.transfer_id
            -- What was written off and is paid later is not receivable any more, and lessens the loss.
            WHERE (a.path LIKE 'org/%/receivable/%' OR a.path = 'platform/bad_debt') AND t.kind LIKE 'payment.%'
            GROUP BY t.reference
        ) b USING (payment_id)
        WHERE coalesce(stated, 0) <> coalesce(booked, 0)
        """,
    ),
    Invariant(
        name="document numbers start at 1 in each series and have no gaps but those of restores",
        table="public.number_sequences",
        unit="sequences",
        violations="""
        SELECT coalesce(i.series, s.name) || ': ' || coalesce(issued, 0) || ' documents have ' ||
            coalesce(numbers, 0) || ' numbers from ' || coalesce(least_number, 1) || ' to ' ||
            coalesce(last_number, 0) || ', the last one given is ' || coalesce(s.last, 0) ||
            CASE WHEN g.name IS NULL THEN '' ELSE ', and ' || passed_over || ' were passed over' END
        FROM (
            SELECT series, count(*) AS issued, count(DISTINCT n) AS numbers, min(n) AS least_number,
                max(n) AS last_number, count(*) FILTER (WHERE EXISTS (
                    SELECT FROM public.number_gaps g WHERE g.name = series AND n BETWEEN g.first AND g.last
                )) AS in_gaps
            FROM (
                SELECT d.series, CASE WHEN number ~ ('^' || CASE WHEN strpos(d.series, '/') > 0
                        THEN split_part(d.series, '/', 2) || '-' ELSE '' END ||
                        CASE split_part(d.series, '/', 1) WHEN 'invoice' THEN 'INV'
                        WHEN 'receipt' THEN 'RCP' WHEN 'receipt_note' THEN 'RCN'
                        WHEN 'statement' THEN 'STM' WHEN 'statement_correction' THEN 'STC' ELSE 'CRN' END
                        || '-[0-9]{6,18}$')
                    THEN substring(number from '[0-9]+$')::bigint END AS n
                FROM (
                    SELECT series, number FROM public.invoices WHERE number IS NOT NULL
                    UNION ALL SELECT series, number FROM public.credit_notes
                    UNION ALL SELECT series, number FROM public.tax_receipts
                    UNION ALL SELECT series, number FROM public.creator_statements
                    UNION ALL SELECT series, number FROM public.creator_corrections
                ) d
            ) numbered GROUP BY series
        ) i
        FULL JOIN public.number_sequences s ON s.name = i.series
        LEFT JOIN (
            SELECT name, sum(last - first + 1) AS passed_over FROM public.number_gaps GROUP BY name
        ) g ON g.name = coalesce(s.name, i.series)
        -- As many different ones as were given, from 1 to the last, and none of a gap: so none is missing.
        WHERE coalesce(numbers, 0) <> coalesce(issued, 0) OR coalesce(least_number, 1) < 1
           OR coalesce(last_number, 0) > coalesce(s.last, 0) OR coalesce(in_gaps, 0) <> 0
           OR coalesce(s.last, 0) <> coalesce(issued, 0) + coalesce(passed_over, 0)
        """,
    ),
    Invariant(
        name="each tax account equals the tax of all invoices and sales, less what was taken back",
        table="public.invoices",
        unit="invoices",
        violations="""
        SELECT code || ' ' || currency || ': charged ' || coalesce(stated, 0) || ', in the books ' || coalesce(held, 0)
        FROM (
            SELECT code, currency, sum(minor) AS stated FROM (
                SELECT t ->> 'code' AS code, i.currency, (t ->> 'tax_minor')::numeric AS minor
                FROM public.invoices i, jsonb_array_elements(i.taxes) t WHERE i.status NOT IN ('draft', 'void')
                UNION ALL
                SELECT p ->> 'tax', c.currency, -(p ->> 'amount_minor')::numeric
                FROM public.credit_notes c, jsonb_array_elements(c.parts) p WHERE p ->> 'account' LIKE 'tax/%'
                UNION ALL
                SELECT r.tax_code, r.currency, r.tax_minor FROM public.tax_receipts r
            ) charged GROUP BY code, currency
        ) c
        FULL JOIN (
            SELECT substr(a.path, length('platform/tax/') + 1) AS code, a.asset AS currency, sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'platform/tax/%' GROUP BY a.path, a.asset
        ) h USING (code, currency)
        WHERE coalesce(stated, 0) <> coalesce(held, 0)
        """,
    ),
    Invariant(
        name="the rounding account equals the rounding of all invoices",
        table="public.invoices",
        unit="invoices",
        violations="""
        SELECT currency || ': rounded off ' || coalesce(stated, 0) || ', in the books ' || coalesce(held, 0)
        FROM (
            SELECT currency, sum(rounded_minor) AS stated FROM public.invoices
            WHERE status NOT IN ('draft', 'void') GROUP BY currency
        ) i
        FULL JOIN (
            SELECT a.asset AS currency, -sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path = 'platform/rounding' GROUP BY a.asset
        ) r USING (currency)
        WHERE coalesce(stated, 0) <> coalesce(held, 0)
        """,
    ),
    Invariant(
        name="the credited amount of each invoice equals its credit notes",
        table="public.credit_notes",
        unit="credit notes",
        violations="""
        SELECT i.id || ': credited ' || i.credited_minor || ', credit notes ' || coalesce(sum(c.amount_minor), 0)
        FROM public.invoices i LEFT JOIN public.credit_notes c ON c.invoice_id = i.id
        GROUP BY i.id HAVING i.credited_minor <> coalesce(sum(c.amount_minor), 0)
        """,
    ),
)
