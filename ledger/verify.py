"""Proves on a live database that the books are right, and names what is not.

It reads in many short snapshots, because one long one keeps the server from clearing away what postings replace, and
slows all of them. Each check is exact in its own snapshot: a transfer and its entries are committed together and never
change, so a slice of them is right or wrong for good, and a balance is compared in the snapshot of its latest entries.
What is posted meanwhile may be left out. The checks do not trust the guards of the schema: they find what a superuser,
a restored backup or a defect of the functions could have done.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from ledger import checks, guards
from ledger.invariants import Invariant

#: Violations that are listed for each check; the rest is only counted.
MAX_LISTED = 20
#: Entries, transfers or holds that are read in one snapshot.
SLICE = 20_000

#: The bounds of ids and versions. The version before the first one that is looked for must be a number as well.
LEAST, FIRST, LAST = -(2**63), -(2**63) + 1, 2**63 - 1
LEAST_STRIPE, LAST_STRIPE = -(2**15), 2**15 - 1


@dataclass(frozen=True, slots=True)
class CheckResult:
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
class VerificationReport:
    """What `verify` found."""

    counts: Mapping[str, int]
    checks: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        return not any(check.violation_count for check in self.checks)

    def lines(self) -> list[str]:
        """Write the whole report for people."""
        counted = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        verdict = "The books balance." if self.ok else "THE BOOKS ARE DAMAGED."
        return [f"Books: {counted}", *(line for check in self.checks for line in check.lines()), verdict]


async def verify(
    connection: asyncpg.Connection, invariants: Sequence[Invariant], *, slice_size: int = SLICE
) -> VerificationReport:
    """Check every rule of the books, and the invariants, in short read-only snapshots.

    The connection must be in no transaction.
    """
    return await _Verification(connection, invariants, slice_size).run()


@dataclass(slots=True)
class _Sums:
    """What the entries of one account that were read in earlier snapshots come to, for each stripe."""

    totals: Counter[int] = field(default_factory=Counter)
    numbers: Counter[int] = field(default_factory=Counter)
    last: dict[int, int] = field(default_factory=dict)

    def add(self, rows: Iterable[asyncpg.Record]) -> None:
        for row in rows:
            self.totals[row["stripe"]] += int(row["total"])
            self.numbers[row["stripe"]] += row["number"]
            self.last[row["stripe"]] = row["last"]

    def columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        stripes = list(self.last)
        return (
            stripes,
            [self.totals[stripe] for stripe in stripes],
            [self.numbers[stripe] for stripe in stripes],
            [self.last[stripe] for stripe in stripes],
        )


class _Verification:
    """One run: what was found and counted so far."""

    def __init__(self, connection: asyncpg.Connection, invariants: Sequence[Invariant], slice_size: int) -> None:
        self._connection = connection
        self._invariants = invariants
        self._size = slice_size
        self._violations: dict[str, list[str]] = {}
        self._numbers: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    async def run(self) -> VerificationReport:
        async with self._snapshot():
            counted = await self._connection.fetchrow(checks.COUNTS)
        assert counted is not None
        for name, query in checks.WHOLE_TABLE_CHECKS:
            async with self._snapshot():
                await self._check(name, query)
        await self._pages("transfers", checks.TRANSFER_KEYS, checks.TRANSFER_CHECKS)
        await self._pages("holds", checks.HOLD_KEYS, checks.HOLD_CHECKS)
        await self._accounts()
        found = {name: self._counts[name] for name in ("transfers", "entries", "holds")}
        counts = {name.replace("_", " "): int(number) for name, number in counted.items()} | found
        order = ("accounts", "balances", "transfers", "entries", "holds", "pending holds", "assets")
        counts = {name: counts[name] for name in order}
        report = [self._report(name, counts[unit], unit) for name, unit in checks.CHECKS.items()]
        return VerificationReport(counts, (*report, *await self._proven(), *await self._guards()))

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[None]:
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            yield

    async def _pages(self, table: str, keys: str, of_page: tuple[tuple[str, str], ...]) -> None:
        """Check a table that has ids, page by page in their order."""
        indexed = await self._connection.fetchval(checks.KEYS_INDEXED.format(table=table))
        if not indexed:
            async with self._snapshot():
                await self._check(keys, checks.KEYS_OF_ALL.format(table=table))
        # What comes meanwhile is left for the next time, or a busy database would never be done.
        newest = await self._connection.fetchval(f"SELECT id FROM ledger.{table} ORDER BY id DESC LIMIT 1")
        after, full = UUID(int=0), newest is not None
        while full:
            async with self._snapshot():
                ids = await self._connection.fetch(
                    f"SELECT id FROM ledger.{table} WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT $3",
                    after,
                    newest,
                    self._size + 1,
                )
                page = [row["id"] for row in ids]
                full = len(page) > self._size
                if full:
                    after = page.pop()
                for name, query in of_page:
                    await self._check(name, query, page)
                if indexed:
                    await self._check(keys, checks.KEYS_OF_PAGE.format(table=table), page)
            self._counts[table] += len(page)

    async def _accounts(self) -> None:
        """Check all entries: many accounts at a time, or a part of the entries of one that has too many.

        Slices leave no id between them, so entries without an account or a balance are read as well.
        """
        first, after, entries, rows = LEAST, LEAST, 0, await self._accounts_after(LEAST)
        while rows:
            for account_id, number in rows:
                if first < account_id and entries + number > self._size:
                    await self._entries(first, account_id - 1)
                    first, entries = account_id, 0
                if number > self._size:
                    await self._parts(account_id)
                    first, entries = account_id + 1, 0
                else:
                    entries += number
                after = account_id
            rows = await self._accounts_after(after)
        await self._entries(first, LAST)

    async def _accounts_after(self, account_id: int) -> list[tuple[int, int]]:
        rows = await self._connection.fetch(checks.ACCOUNTS_AFTER, account_id)
        return [(row["account_id"], row["entries"]) for row in rows]

    async def _parts(self, account_id: int) -> None:
        """Check the entries of one account stripe by stripe, because each counts its versions for itself."""
        free = LEAST_STRIPE
        for row in await self._connection.fetch(checks.STRIPES, account_id):
            stripe, newest = row["stripe"], row["version"]
            if free < stripe:
                await self._entries(account_id, account_id, stripes=(free, stripe - 1))
            sums, version = _Sums(), FIRST
            # What comes meanwhile is read at the end, with the balance.
            while (full := await self._full(account_id, stripe, version)) is not None and version < full <= newest:
                bounds = (account_id, account_id, version, full - 1, stripe, stripe)
                async with self._snapshot():
                    await self._of_entries(*bounds)
                    sums.add(await self._connection.fetch(checks.SUMS, *bounds))
                version = full
            await self._entries(account_id, account_id, version, (stripe, stripe), sums)
            free = stripe + 1
        await self._entries(account_id, account_id, stripes=(free, LAST_STRIPE))

    async def _full(self, account_id: int, stripe: int, version: int) -> int | None:
        full = await self._connection.fetchval(checks.VERSION_AFTER, account_id, stripe, version, self._size)
        return None if full is None else int(full)

    async def _entries(
        self,
        first: int,
        last: int,
        version: int = FIRST,
        stripes: tuple[int, int] = (LEAST_STRIPE, LAST_STRIPE),
        sums: _Sums | None = None,
    ) -> None:
        bounds = (first, last, version, LAST, *stripes)
        async with self._snapshot():
            await self._of_entries(*bounds)
            await self._check(checks.BALANCES, checks.BALANCE_CHECKS, *bounds, *(sums or _Sums()).columns())

    async def _of_entries(self, *bounds: int) -> None:
        for name, query in checks.ENTRY_CHECKS:
            await self._check(name, query, *bounds)
        self._counts["entries"] += await self._connection.fetchval(checks.NUMBER_OF_ENTRIES, *bounds)

    async def _proven(self) -> list[CheckResult]:
        found = []
        for rule in self._invariants:
            async with self._snapshot():
                if await self._connection.fetchval("SELECT to_regclass($1) IS NOT NULL", rule.table):
                    number = await self._connection.fetchval(f"SELECT count(*) FROM {rule.table}")
                    await self._check(rule.name, rule.violations)
                    found.append(self._report(rule.name, number, rule.unit))
        return found

    async def _guards(self) -> list[CheckResult]:
        async with self._snapshot():
            await self._connection.execute(guards.SEARCH_PATH)
            lines = [str(row["line"]) for row in await self._connection.fetch(guards.QUERY)]
        expected, differences = guards.expected_guards(), guards.compare_guards(lines)
        return [
            CheckResult(
                name,
                sum(line.startswith(kind) for line in expected),
                {"policy": "policies"}.get(kind, f"{kind}s"),
                tuple(differences[kind][:MAX_LISTED]),
                len(differences[kind]),
            )
            for kind, name in guards.KINDS.items()
        ]

    async def _check(self, name: str, query: str, *arguments: Any) -> None:
        rows = await self._connection.fetch(
            f"SELECT v.violation, count(*) OVER () AS number FROM ({query}) AS v (violation) LIMIT {MAX_LISTED}",
            *arguments,
        )
        if rows:
            listed = self._violations.setdefault(name, [])
            listed.extend(str(row["violation"]) for row in rows[: MAX_LISTED - len(listed)])
            self._numbers[name] += int(rows[0]["number"])

    def _report(self, name: str, checked: int, unit: str) -> CheckResult:
        return CheckResult(name, checked, unit, tuple(self._violations.get(name, ())), self._numbers[name])
