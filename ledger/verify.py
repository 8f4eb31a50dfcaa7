"""Proves on a live database that the books are right, and names what is not.

Everything is read in one snapshot, so a busy database is judged at one moment. The checks do not trust the guards of
the schema: they find what a superuser, a restored backup or a defect of the functions could have done.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from ledger import beside, guards

#: Violations that are listed for each check; the rest is only counted.
MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, how much it was checked on, and what breaks it."""

    name: str
    checked: int
    unit: str
    violations: tuple[str, ...]
    violation_count: int

    def lines(self) -> list[str]:
        """Write the check as one line, and one line more for each violation that is listed."""
        verdict = "ok" if not self.violation_count else f"{self.violation_count} VIOLATIONS"
        first = f"{verdict:>14}  {self.name} ({self.checked} {self.unit})"
        hidden = self.violation_count - len(self.violations)
        more = [f"{'':>14}    … and {hidden} more"] if hidden else []
        return [first, *(f"{'':>14}    {violation}" for violation in self.violations), *more]


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found."""

    counts: Mapping[str, int]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return not any(check.violation_count for check in self.checks)

    def lines(self) -> list[str]:
        """Write the whole report for people."""
        counted = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        verdict = "The books balance." if self.ok else "THE BOOKS ARE DAMAGED."
        return [f"Books: {counted}", *(line for check in self.checks for line in check.lines()), verdict]


_COUNTS = """
SELECT (SELECT count(*) FROM ledger.accounts) AS accounts, (SELECT count(*) FROM ledger.balances) AS balances,
    (SELECT count(*) FROM ledger.transfers) AS transfers, (SELECT count(*) FROM ledger.entries) AS entries,
    (SELECT count(*) FROM ledger.holds) AS holds,
    (SELECT count(*) FROM ledger.holds WHERE status = 'pending') AS pending_holds,
    (SELECT count(DISTINCT asset) FROM ledger.accounts) AS assets
"""

#: Name, what is counted, and a query whose rows are the violations, each as one text.
_CHECKS: tuple[tuple[str, str, str], ...] = (
    (
        "every transfer has entries, and they sum to zero per asset",
        "transfers",
        """
        SELECT 'transfer ' || t.id || ' (' || t.idempotency_key || '): ' ||
            CASE WHEN e.asset IS NULL THEN 'has no entries' ELSE 'entries of ' || e.asset || ' sum to ' || e.total END
        FROM ledger.transfers t
        LEFT JOIN (SELECT transfer_id, asset, sum(amount) AS total FROM ledger.entries GROUP BY transfer_id, asset) e
            ON e.transfer_id = t.id
        WHERE e.total IS DISTINCT FROM 0
        """,
    ),
    (
        "every entry belongs to a transfer, has its time, and carries its account's asset",
        "entries",
        """
        SELECT 'entry ' || e.account_id || '/' || e.stripe || '/' || e.version || ': ' ||
            CASE WHEN t.id IS NULL THEN 'no transfer ' || e.transfer_id
                 WHEN a.id IS NULL THEN 'no account'
                 WHEN a.asset <> e.asset THEN 'is of ' || e.asset || ', its account of ' || a.asset
                 ELSE 'effective ' || e.effective_at || ', its transfer ' || t.effective_at END
        FROM ledger.entries e
        LEFT JOIN ledger.transfers t ON t.id = e.transfer_id
        LEFT JOIN ledger.accounts a ON a.id = e.account_id
        WHERE t.id IS NULL OR a.id IS NULL OR a.asset <> e.asset OR t.effective_at <> e.effective_at
        """,
    ),
    (
        "every key stands for one transfer",
        "transfers",
        """
        SELECT 'key ' || idempotency_key || ': ' || count(*) || ' transfers'
        FROM ledger.transfers GROUP BY idempotency_key HAVING count(*) > 1
        """,
    ),
    (
        "every key stands for one hold",
        "holds",
        """
        SELECT 'key ' || idempotency_key || ': ' || count(*) || ' holds'
        FROM ledger.holds GROUP BY idempotency_key HAVING count(*) > 1
        """,
    ),
    (
        "all balances of an asset sum to zero",
        "assets",
        """
        SELECT a.asset || ': balances sum to ' || sum(b.posted)
        FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id
        GROUP BY a.asset HAVING sum(b.posted) <> 0
        """,
    ),
    (
        "every balance equals the sum of its entries, and its version their number",
        "balances",
        """
        SELECT coalesce(a.path || ' ' || a.asset, 'no account') || ' (' || id || '/' || stripe || '): ' ||
            coalesce('balance ' || b.posted || ' at version ' || b.version, 'no balance') || ', entries sum to ' ||
            coalesce(e.total, 0) || ' and count ' || coalesce(e.number, 0)
        FROM (SELECT account_id AS id, stripe, posted, version FROM ledger.balances) b
        FULL JOIN (
            SELECT account_id AS id, stripe, sum(amount) AS total, count(*) AS number, max(version) AS last
            FROM ledger.entries GROUP BY account_id, stripe
        ) e USING (id, stripe)
        LEFT JOIN ledger.accounts a USING (id)
        WHERE b.posted IS DISTINCT FROM coalesce(e.total, 0) OR b.version <> coalesce(e.number, 0)
           OR b.version <> coalesce(e.last, 0)
        """,
    ),
    (
        "versions run from 1 without gaps, and each entry's balance follows from the one before",
        "entries",
        """
        SELECT 'entry ' || account_id || '/' || stripe || '/' || version || ': after version ' || previous_version ||
            ' with balance ' || previous_balance || ', amount ' || amount || ' gives ' || balance_after
        FROM (
            SELECT e.*, lag(version, 1, 0::bigint) OVER w AS previous_version,
                lag(balance_after, 1, 0::bigint) OVER w AS previous_balance
            FROM ledger.entries e WINDOW w AS (PARTITION BY account_id, stripe ORDER BY version)
        ) chain
        WHERE version <> previous_version + 1 OR balance_after <> previous_balance + amount
        """,
    ),
    (
        "what is set aside equals the open holds",
        "balances",
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
        "every captured hold has the transfer that captured it, for that amount",
        "holds",
        """
        SELECT 'hold ' || h.id || ': captured ' || h.captured || ', its transfer took ' || coalesce(-e.amount, 0)
        FROM ledger.holds h
        LEFT JOIN ledger.transfers t ON t.id = h.ended_transfer_id AND t.hold_id = h.id
        LEFT JOIN ledger.entries e ON e.transfer_id = t.id AND e.account_id = h.account_id
        WHERE h.status = 'posted' AND e.amount IS DISTINCT FROM -h.captured
        UNION ALL
        SELECT 'transfer ' || t.id || ': captures hold ' || t.hold_id || ', which does not name it'
        FROM ledger.transfers t LEFT JOIN ledger.holds h ON h.id = t.hold_id
        WHERE t.hold_id IS NOT NULL AND h.ended_transfer_id IS DISTINCT FROM t.id
        """,
    ),
    (
        "every account has its stripes, and available money is not below its floor",
        "accounts",
        """
        SELECT a.path || ' ' || a.asset || ' (' || a.id || '): ' || count(b.account_id) || ' of ' || a.stripes ||
            ' stripes, available ' || coalesce(sum(b.posted - b.pending_out), 0) || ', floor ' ||
            coalesce(a.floor::text, 'none') || ', enforced ' || coalesce(min(b.floor)::text, 'none')
        FROM ledger.accounts a LEFT JOIN ledger.balances b ON b.account_id = a.id
        GROUP BY a.id
        HAVING count(b.account_id) <> a.stripes OR sum(b.posted - b.pending_out) < a.floor
            OR min(b.floor) IS DISTINCT FROM a.floor OR min(b.asset) <> a.asset OR max(b.asset) <> a.asset
        """,
    ),
)


async def verify(connection: asyncpg.Connection) -> Report:
    """Check every rule of the books in one read-only snapshot; the connection must be in no transaction."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(guards.SEARCH_PATH)
        row = await connection.fetchrow(_COUNTS)
        assert row is not None
        counts = {name.replace("_", " "): int(number) for name, number in row.items()}
        checks = [await _check(connection, name, counts[unit], unit, query) for name, unit, query in _CHECKS]
        for name, table, unit, query in beside.CHECKS:
            if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table):
                number = await connection.fetchval(f"SELECT count(*) FROM {table}")
                checks.append(await _check(connection, name, number, unit, query))
        checks.extend(_guards([str(row["line"]) for row in await connection.fetch(guards.QUERY)]))
    return Report(counts, tuple(checks))


def _guards(found: list[str]) -> list[Check]:
    expected, differences = guards.expected(), guards.differences(found)
    return [
        Check(
            name,
            sum(line.startswith(kind) for line in expected),
            {"policy": "policies"}.get(kind, f"{kind}s"),
            tuple(differences[kind][:MAX_LISTED]),
            len(differences[kind]),
        )
        for kind, name in guards.KINDS.items()
    ]


async def _check(connection: asyncpg.Connection, name: str, checked: int, unit: str, query: str) -> Check:
    rows = await connection.fetch(
        f"SELECT v.violation, count(*) OVER () AS number FROM ({query}) AS v (violation) LIMIT {MAX_LISTED}"
    )
    violations = tuple(str(row["violation"]) for row in rows)
    return Check(name, checked, unit, violations, int(rows[0]["number"]) if rows else 0)
