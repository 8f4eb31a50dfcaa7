"""What `verify` checks, as queries whose rows are the violations, and how much of the books each one reads at once."""

TRANSFERS = "every transfer has entries, and they sum to zero per asset"
ENTRIES = "every entry belongs to a transfer, has its time, and carries its account's asset"
TRANSFER_KEYS = "every key stands for one transfer"
HOLD_KEYS = "every key stands for one hold"
ASSETS = "all balances of an asset sum to zero"
BALANCES = "every balance equals the sum of its entries, and its version their number"
VERSIONS = "versions run from 1 without gaps, and each entry's balance follows from the one before"
RESERVED = "reserved money equals the open holds"
CAPTURES = "every captured hold has the transfer that captured it, for that amount"
ACCOUNTS = "every account has its stripes, and available money is not below its minimum balance"

#: Name and what is counted, in the order of the report.
CHECKS: dict[str, str] = {
    TRANSFERS: "transfers",
    ENTRIES: "entries",
    TRANSFER_KEYS: "transfers",
    HOLD_KEYS: "holds",
    ASSETS: "assets",
    BALANCES: "balances",
    VERSIONS: "entries",
    RESERVED: "balances",
    CAPTURES: "holds",
    ACCOUNTS: "accounts",
}

#: What is counted at once: short, because it has a row for each account and not for each entry.
COUNTS = """
SELECT (SELECT count(*) FROM ledger.accounts) AS accounts, (SELECT count(*) FROM ledger.balances) AS balances,
    (SELECT count(*) FROM ledger.holds WHERE status = 'pending') AS pending_holds,
    (SELECT count(DISTINCT asset) FROM ledger.accounts) AS assets
"""

#: Each in a snapshot of its own, which is short for the same reason.
WHOLE_TABLE_CHECKS: tuple[tuple[str, str], ...] = (
    (
        ASSETS,
        """
        SELECT a.asset || ': balances sum to ' || sum(b.posted)
        FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id
        GROUP BY a.asset HAVING sum(b.posted) <> 0
        """,
    ),
    (
        RESERVED,
        """
        SELECT coalesce(a.path || ' ' || a.asset, 'no account') || ' (' || id || '): set aside ' ||
            coalesce(b.pending_out, 0) || ', open holds ' || coalesce(h.total, 0)
        FROM (SELECT account_id AS id, sum(pending_out) AS pending_out FROM ledger.balances GROUP BY account_id) b
        FULL JOIN (
            SELECT account_id AS id, sum(amount) AS total FROM ledger.holds WHERE status = 'pending' GROUP BY account_id
        ) h USING (id)
        LEFT JOIN ledger.accounts a USING (id)
        WHERE coalesce(b.pending_out, 0) <> coalesce(h.total, 0)
        """,
    ),
    (
        ACCOUNTS,
        """
        SELECT a.path || ' ' || a.asset || ' (' || a.id || '): ' || count(b.account_id) || ' of ' || a.stripes ||
            ' stripes, available ' || coalesce(sum(b.posted - b.pending_out), 0) || ', floor ' ||
            coalesce(a.floor::text, 'none') || ', enforced ' || coalesce(min(b.floor)::text, 'none')
        FROM ledger.accounts a LEFT JOIN ledger.balances b ON b.account_id = a.id
        GROUP BY a.id
        HAVING count(b.account_id) <> a.stripes OR sum(b.posted - b.pending_out) < a.floor
            OR min(b.floor) IS DISTINCT FROM a.floor OR min(b.asset) <> a.asset OR max(b.asset) <> a.asset
            OR bool_or(b.org_id IS DISTINCT FROM a.org_id) OR a.id >> 51 <> ledger.bucket_of(a.org_id)
        """,
    ),
)

#: Of a page of transfers, whose ids are $1.
TRANSFER_CHECKS: tuple[tuple[str, str], ...] = (
    (
        TRANSFERS,
        """
        SELECT 'transfer ' || t.id || ' (' || t.idempotency_key || '): ' ||
            CASE WHEN e.asset IS NULL THEN 'has no entries' ELSE 'entries of ' || e.asset || ' sum to ' || e.total END
        FROM ledger.transfers t
        LEFT JOIN (
            SELECT transfer_id, asset, sum(amount) AS total FROM ledger.entries
            WHERE transfer_id = ANY ($1) GROUP BY transfer_id, asset
        ) e ON e.transfer_id = t.id
        WHERE t.id = ANY ($1) AND e.total IS DISTINCT FROM 0
        """,
    ),
    (
        CAPTURES,
        """
        SELECT 'transfer ' || t.id || ': captures hold ' || t.hold_id || ', which does not name it'
        FROM ledger.transfers t LEFT JOIN ledger.holds h ON h.id = t.hold_id
        WHERE t.id = ANY ($1) AND t.hold_id IS NOT NULL AND h.ended_transfer_id IS DISTINCT FROM t.id
        """,
    ),
)

#: Of a page of holds, whose ids are $1.
HOLD_CHECKS: tuple[tuple[str, str], ...] = (
    (
        CAPTURES,
        """
        SELECT 'hold ' || h.id || ': captured ' || h.captured || ', its transfer took ' || coalesce(-e.amount, 0)
        FROM ledger.holds h
        LEFT JOIN ledger.transfers t ON t.id = h.ended_transfer_id AND t.hold_id = h.id
        LEFT JOIN ledger.entries e ON e.transfer_id = t.id AND e.account_id = h.account_id
        WHERE h.id = ANY ($1) AND h.status = 'posted' AND e.amount IS DISTINCT FROM -h.captured
        """,
    ),
)

#: Of a page, whose ids are $1: a key that stands for more, or that the index of keys does not lead to.
KEYS_OF_PAGE = """
SELECT 'key ' || p.idempotency_key || ': ' || n.number || ' {table}'
FROM ledger.{table} p,
    LATERAL (SELECT count(*) AS number FROM ledger.{table} o WHERE o.idempotency_key = p.idempotency_key) n
WHERE p.id = ANY ($1) AND n.number <> 1
    AND NOT EXISTS (SELECT FROM ledger.{table} f WHERE f.idempotency_key = p.idempotency_key AND f.id < p.id)
"""
#: Of all at once, where there is no such index: each row of a page would have the whole table read.
KEYS_OF_ALL = """
SELECT 'key ' || idempotency_key || ': ' || count(*) || ' {table}'
FROM ledger.{table} GROUP BY idempotency_key HAVING count(*) > 1
"""
KEYS_INDEXED = """
SELECT EXISTS (
    SELECT FROM pg_index i WHERE i.indexrelid = to_regclass('ledger.uq_{table}_idempotency_key') AND i.indisvalid
)
"""

#: Of the entries of accounts $1 to $2, in versions $3 to $4 of stripes $5 to $6.
ENTRY_CHECKS: tuple[tuple[str, str], ...] = (
    (
        ENTRIES,
        """
        SELECT 'entry ' || e.account_id || '/' || e.stripe || '/' || e.version || ' of transfer ' || e.transfer_id
        FROM ledger.entries e
        LEFT JOIN ledger.transfers t ON t.id = e.transfer_id
        LEFT JOIN ledger.accounts a ON a.id = e.account_id
        WHERE e.account_id BETWEEN $1 AND $2 AND e.version BETWEEN $3 AND $4 AND e.stripe BETWEEN $5 AND $6
          AND (t.id IS NULL OR a.id IS NULL OR a.asset <> e.asset OR t.effective_at <> e.effective_at)
        """,
    ),
    # The entry before the first one is read as well: entries never change, so it is the same in every snapshot.
    (
        VERSIONS,
        """
        SELECT 'entry ' || account_id || '/' || stripe || '/' || version || ': after version ' || previous_version ||
            ' with balance ' || previous_balance || ', amount ' || amount || ' gives ' || balance_after
        FROM (
            SELECT e.*, lag(version, 1, 0::bigint) OVER w AS previous_version,
                lag(balance_after, 1, 0::bigint) OVER w AS previous_balance
            FROM ledger.entries e
            WHERE account_id BETWEEN $1 AND $2 AND version BETWEEN $3::bigint - 1 AND $4
              AND stripe BETWEEN $5 AND $6
            WINDOW w AS (PARTITION BY account_id, stripe ORDER BY version)
        ) chain
        WHERE version >= $3::bigint AND (version <> previous_version + 1 OR balance_after <> previous_balance + amount)
        """,
    ),
)
SUMS = """
SELECT stripe, sum(amount) AS total, count(*) AS number, max(version) AS last
FROM ledger.entries
WHERE account_id BETWEEN $1 AND $2 AND version BETWEEN $3 AND $4 AND stripe BETWEEN $5 AND $6 GROUP BY stripe
"""
#: Balances of accounts $1 to $2 against their entries in versions $3 to $4, and what earlier versions of $1 came to.
BALANCE_CHECKS = """
SELECT coalesce(a.path || ' ' || a.asset, 'no account') || ' (' || id || '/' || stripe || '): ' ||
    coalesce('balance ' || b.posted || ' at version ' || b.version, 'no balance') || ', entries sum to ' ||
    coalesce(e.total, 0) || ' and count ' || coalesce(e.number, 0)
FROM (
    SELECT account_id AS id, stripe, posted, version FROM ledger.balances
    WHERE account_id BETWEEN $1 AND $2 AND stripe BETWEEN $5 AND $6
) b
FULL JOIN (
    SELECT id, stripe, sum(total) AS total, sum(number) AS number, max(last) AS last
    FROM (
        SELECT account_id AS id, stripe, sum(amount) AS total, count(*) AS number, max(version) AS last
        FROM ledger.entries
        WHERE account_id BETWEEN $1 AND $2 AND version BETWEEN $3 AND $4 AND stripe BETWEEN $5 AND $6
        GROUP BY account_id, stripe
        UNION ALL
        SELECT $1::bigint, * FROM unnest($7::smallint[], $8::numeric[], $9::bigint[], $10::bigint[])
    ) parts
    GROUP BY id, stripe
) e USING (id, stripe)
LEFT JOIN ledger.accounts a USING (id)
WHERE b.posted IS DISTINCT FROM coalesce(e.total, 0) OR b.version <> coalesce(e.number, 0)
   OR b.version <> coalesce(e.last, 0)
"""
NUMBER_OF_ENTRIES = """
SELECT count(*) FROM ledger.entries
WHERE account_id BETWEEN $1 AND $2 AND version BETWEEN $3 AND $4 AND stripe BETWEEN $5 AND $6
"""
#: The next accounts after $1 with the number of their entries, by their balances, which is close enough to share out.
ACCOUNTS_AFTER = """
SELECT account_id, sum(version)::bigint AS entries
FROM ledger.balances WHERE account_id > $1 GROUP BY account_id ORDER BY account_id LIMIT 1000
"""
STRIPES = "SELECT stripe, version FROM ledger.balances WHERE account_id = $1 ORDER BY stripe"
#: The version at which a slice of the stripe's entries is full; null when the rest is no more than that.
VERSION_AFTER = """
SELECT version FROM ledger.entries
WHERE account_id = $1 AND stripe = $2 AND version >= $3 ORDER BY version OFFSET $4 LIMIT 1
"""
