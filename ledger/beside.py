"""What tables beside the books tell of money, and how that must agree with the books."""

from domain.deployment import TIERS

_SHARES = " ".join(f"WHEN '{tier}' THEN {limits.deployments}" for tier, limits in TIERS.items())

#: Each where its table exists: name, table, what is counted, and a query whose rows are the violations.
CHECKS: tuple[tuple[str, str, str, str], ...] = (
    (
        "every transfer that the timeline of an escrow names is in the books",
        "public.escrow_events",
        "events",
        """
        SELECT 'event ' || v.number || ' of ' || v.escrow_id || ': no transfer ' || v.transfer_id
        FROM public.escrow_events v
        WHERE v.transfer_id IS NOT NULL AND NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = v.transfer_id)
        """,
    ),
    (
        "every lot of credits has the transfer that granted it, for that amount",
        "public.credit_lots",
        "lots",
        """
        SELECT 'lot ' || l.id || ': ' || l.amount_minor || ', its transfer ' || l.transfer_id || ' brought ' ||
            coalesce(e.amount::text, 'nothing')
        FROM public.credit_lots l
        LEFT JOIN ledger.accounts a ON a.path = 'org/' || l.org_id || '/credits' AND a.asset = 'CREDIT'
        LEFT JOIN ledger.entries e ON e.transfer_id = l.transfer_id AND e.account_id = a.id
        WHERE e.amount IS DISTINCT FROM l.amount_minor
           OR NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = l.transfer_id)
        """,
    ),
    (
        "what each escrow says was funded, released, refunded and taken is what its account and the others got",
        "public.escrows",
        "escrows",
        """
        SELECT id || ': says ' || told::text || ', the books ' || booked::text
        FROM (
            SELECT x.id, jsonb_build_object('funded', x.funded_minor, 'released', x.released_minor, 'refunded',
                    x.refunded_minor, 'commission', x.commission_minor, 'held',
                    x.funded_minor - x.released_minor - x.refunded_minor - x.commission_minor) AS told,
                jsonb_build_object('funded', coalesce(m.funded, 0), 'released', coalesce(m.released, 0), 'refunded',
                    coalesce(m.refunded, 0), 'commission', coalesce(m.commission, 0), 'held',
                    coalesce(m.held, 0)) AS booked
            FROM public.escrows x
            LEFT JOIN ledger.accounts a ON a.path = 'escrow/' || x.id AND a.asset = x.currency
            LEFT JOIN LATERAL (
                SELECT sum(o.amount) FILTER (WHERE o.account_id = a.id AND o.amount > 0) AS funded,
                    sum(o.amount) FILTER (WHERE p.path LIKE 'agent/%') AS released,
                    sum(o.amount) FILTER (WHERE p.path LIKE 'org/%' AND o.amount > 0) AS refunded,
                    sum(o.amount) FILTER (WHERE p.path = 'platform/commission') AS commission,
                    sum(o.amount) FILTER (WHERE o.account_id = a.id) AS held
                FROM (SELECT DISTINCT transfer_id FROM ledger.entries WHERE account_id = a.id) n
                JOIN ledger.entries o ON o.transfer_id = n.transfer_id
                JOIN ledger.accounts p ON p.id = o.account_id
            ) m ON true
        ) compared
        WHERE told <> booked
        """,
    ),
    # What is paid with credits passes through a clearing account on its way from one account of ours to another.
    (
        "what each provider holds by the books is what its booked movements add up to",
        "public.payment_movements",
        "movements",
        """
        SELECT provider || ' ' || currency || ': holds ' || coalesce(held, 0) || ', movements ' || coalesce(told, 0)
        FROM (
            SELECT split_part(a.path, '/', 2) AS provider, a.asset AS currency, -sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'provider/%/clearing' GROUP BY a.path, a.asset
        ) h
        FULL JOIN (
            SELECT provider, currency, sum(amount_minor - coalesce(fee_minor, 0)) AS told
            FROM public.payment_movements GROUP BY provider, currency
        ) m USING (provider, currency)
        WHERE coalesce(held, 0) <> coalesce(told, 0) AND provider <> 'credits'
        UNION ALL
        SELECT 'movement ' || m.key || ' of ' || m.provider || ': no transfer ' || m.transfer_id
        FROM public.payment_movements m
        WHERE NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = m.transfer_id)
        """,
    ),
    # Fewer than are deployed beyond the tier's share only where the tier was lowered under them.
    (
        "slots in use are those that deployed projects occupy, no more than their tier leaves without room",
        "public.projects",
        "projects",
        f"""
        SELECT org_id || ': ' || booked || ' slots in use, occupied ' || occupied || ', taken by deployments ' ||
            taken || ', deployed ' || deployed || ' on ' || coalesce(tier, 'no tier')
        FROM (
            SELECT org_id, o.tier, coalesce(h.booked, 0) AS booked, coalesce(e.taken, 0) AS taken,
                coalesce(p.occupied, 0) AS occupied, coalesce(p.deployed, 0) AS deployed
            FROM (
                SELECT split_part(a.path, '/', 2) AS org_id, sum(b.posted) AS booked
                FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
                WHERE a.path LIKE 'org/%/slots_in_use' GROUP BY a.path
            ) h
            FULL JOIN (
                SELECT org_id, count(*) FILTER (WHERE occupies_slot) AS occupied, count(deployed_at) AS deployed
                FROM public.projects GROUP BY org_id
            ) p USING (org_id)
            FULL JOIN (
                SELECT org_id, sum(slots) AS taken FROM public.deployment_events GROUP BY org_id
            ) e USING (org_id)
            LEFT JOIN public.organizations o ON o.id = org_id
        ) told
        WHERE booked <> occupied OR booked <> taken OR booked > greatest(0, deployed - CASE tier {_SHARES} END)
        """,
    ),
    (
        "what each organization was invoiced and has not paid is what it owes by its receivable account",
        "public.invoices",
        "invoices",
        """
        SELECT org_id || ' ' || currency || ': due ' || coalesce(told, 0) || ', receivable ' || coalesce(held, 0)
        FROM (
            SELECT org_id, currency, sum(total_minor - paid_minor) AS told
            FROM public.invoices WHERE status <> 'void' GROUP BY org_id, currency
        ) i
        FULL JOIN (
            SELECT split_part(a.path, '/', 2) AS org_id, a.asset AS currency, -sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'org/%/receivable/%' GROUP BY a.path, a.asset
        ) r USING (org_id, currency)
        WHERE coalesce(told, 0) <> coalesce(held, 0)
        """,
    ),
    (
        "every invoice comes to its lines, and has the transfers that made it receivable and took that back",
        "public.invoices",
        "invoices",
        """
        SELECT id || ': total ' || total_minor || ', lines ' || coalesce(lines_minor::text, 'none') || ', issued ' ||
            coalesce(issued::text, 'nothing') || ', ' || status || ' ' || coalesce(voided::text, 'nothing')
        FROM (
            SELECT i.id, i.total_minor, i.status, -o.amount AS issued, v.amount AS voided, (
                    SELECT sum((l ->> 'quantity')::numeric * (l ->> 'unit_minor')::numeric)
                    FROM jsonb_array_elements(i.lines) l
                ) AS lines_minor
            FROM public.invoices i
            LEFT JOIN ledger.accounts a
                ON a.path = 'org/' || i.org_id || '/receivable/' || i.currency AND a.asset = i.currency
            LEFT JOIN ledger.entries o ON o.transfer_id = i.transfer_id AND o.account_id = a.id
            LEFT JOIN ledger.entries v ON v.transfer_id = i.void_transfer_id AND v.account_id = a.id
        ) compared
        WHERE lines_minor IS DISTINCT FROM total_minor OR issued IS DISTINCT FROM total_minor
           OR voided IS DISTINCT FROM CASE status WHEN 'void' THEN total_minor END
        """,
    ),
    (
        "what is paid of each invoice is what its payments have brought, and the books say the same of each",
        "public.invoice_payments",
        "payments",
        """
        SELECT i.id || ': paid ' || i.paid_minor || ', payments brought ' || coalesce(sum(p.amount_minor), 0)
        FROM public.invoices i LEFT JOIN public.invoice_payments p ON p.invoice_id = i.id
        GROUP BY i.id HAVING i.paid_minor <> coalesce(sum(p.amount_minor), 0)
        UNION ALL
        SELECT payment_id || ': paid ' || coalesce(told, 0) || ' of invoices, by the books ' || coalesce(booked, 0)
        FROM (
            SELECT payment_id, sum(amount_minor) AS told FROM public.invoice_payments GROUP BY payment_id
        ) p
        FULL JOIN (
            SELECT t.reference AS payment_id, sum(e.amount) AS booked
            FROM ledger.accounts a
            JOIN ledger.entries e ON e.account_id = a.id
            JOIN ledger.transfers t ON t.id = e.transfer_id
            WHERE a.path LIKE 'org/%/receivable/%' AND t.kind LIKE 'payment.%' GROUP BY t.reference
        ) b USING (payment_id)
        WHERE coalesce(told, 0) <> coalesce(booked, 0)
        """,
    ),
    (
        "invoices are numbered from 1 on without a gap",
        "public.number_sequences",
        "sequences",
        """
        SELECT issued || ' invoices have ' || numbers || ' numbers from ' || least_number || ' to ' ||
            last_number || ', the last one given is ' || given
        FROM (
            SELECT count(*) AS issued, count(DISTINCT n) AS numbers, coalesce(min(n), 1) AS least_number,
                coalesce(max(n), 0) AS last_number
            FROM (
                SELECT CASE WHEN number ~ '^INV-[0-9]{6,18}$' THEN substr(number, 5)::bigint END AS n
                FROM public.invoices
            ) numbered
        ) i, (
            SELECT coalesce(max(last) FILTER (WHERE name = 'invoice'), 0) AS given FROM public.number_sequences
        ) s
        WHERE numbers <> issued OR least_number <> 1 OR last_number <> issued OR given <> issued
        """,
    ),
)
