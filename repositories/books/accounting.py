"""The books by day and line of the chart of accounts, and the journal of a day; see `ledger/sql/accounting.sql`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.accounting import JournalEntry, JournalTransfer, LineSum
from domain.common.accounts import AccountKind
from domain.common.ids import public_reference, transfer_id, uuid_of
from ledger.invariants import Invariant

_DAY = timedelta(days=1)
#: Daily sums, plus entries that the batch has not added to them yet. One statement reads both from one snapshot.
SUMS = """
    SELECT d.day, d.line, d.kind, d.asset, d.debits, d.credits FROM ledger.accounting_days d WHERE d.day <= :last
    UNION ALL
    SELECT s.day, s.line, s.kind, s.asset, s.debits, s.credits
    FROM ledger.accounting_place p,
        LATERAL ledger.sums_by_day(p.summed, 'ffffffff-ffff-ffff-ffff-ffffffffffff') s
    WHERE s.day <= :last
"""
_LINES = f"""
SELECT line, kind, asset,
    coalesce(sum(credits - debits) FILTER (WHERE day < :first), 0) AS opening,
    coalesce(sum(debits) FILTER (WHERE day >= :first), 0) AS debits,
    coalesce(sum(credits) FILTER (WHERE day >= :first), 0) AS credits
FROM ({SUMS}) s WHERE CAST(:asset AS text) IS NULL OR asset = :asset
GROUP BY line, kind, asset ORDER BY asset, line, kind
"""
_BY_DAY = f"""
SELECT day, line, kind, asset, 0 AS opening, sum(debits) AS debits, sum(credits) AS credits
FROM ({SUMS}) s WHERE day >= :first AND asset = :asset
GROUP BY day, line, kind, asset ORDER BY day, line, kind
"""
_DAYS = f"""
SELECT DISTINCT day FROM ({SUMS}) s
WHERE day >= :first AND (CAST(:line AS text) IS NULL OR line = :line)
    AND (CAST(:asset AS text) IS NULL OR asset = :asset)
ORDER BY day
"""
#: Transfers of one day from a place on, whole: with a line or an asset those that have an entry of it.
_JOURNAL = """
WITH chosen AS MATERIALIZED (
    SELECT t.* FROM ledger.transfers t
    WHERE t.effective_at >= :since AND t.effective_at < :until AND (CAST(:after AS uuid) IS NULL OR t.id > :after)
        AND (CAST(:line AS text) IS NULL AND CAST(:asset AS text) IS NULL OR EXISTS (
            SELECT FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
            WHERE e.transfer_id = t.id AND (CAST(:asset AS text) IS NULL OR e.asset = :asset)
                AND (CAST(:line AS text) IS NULL OR ledger.chart_line(a.path) = :line)
        ))
    ORDER BY t.id LIMIT :limit
)
SELECT t.id, t.kind, t.reference, t.org_id, t.effective_at, t.recorded_at, a.path, ledger.chart_line(a.path) AS line,
    a.kind AS account_kind, e.asset, e.amount
FROM chosen t JOIN ledger.entries e ON e.transfer_id = t.id JOIN ledger.accounts a ON a.id = e.account_id
ORDER BY t.id, a.path, e.asset, e.version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFilter:
    """A filter of transfers: of these days (UTC, both included), with an entry on `line` or in `asset` if given.

    `since` and `until` narrow the days to times in `[since, until)`, if given.
    """

    first: date
    last: date
    since: datetime | None = None
    until: datetime | None = None
    line: str | None = None
    asset: str | None = None


#: Where a page of the journal begins: after this transfer of this day.
Position = tuple[date, UUID | None]


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Transfers in the order of days, and within a day of recording; and the next position, None at the end."""

    transfers: Sequence[JournalTransfer]
    following: Position | None


async def add_up_days(connection: asyncpg.Connection, limit: int) -> int:
    """Add so many transfers to the totals of their days; returns how many were added."""
    return int(await connection.fetchval("SELECT ledger.add_up_days($1)", limit))


async def lines(session: AsyncSession, first: date, last: date, asset: str | None = None) -> list[LineSum]:
    """Return the opening balance of every line of the chart before the first day, and its movements up to the last."""
    rows = await session.execute(text(_LINES), {"first": first, "last": last, "asset": asset})
    return [_sum(*row) for row in rows]


async def by_day(session: AsyncSession, first: date, last: date, asset: str) -> list[tuple[date, list[LineSum]]]:
    rows = await session.execute(text(_BY_DAY), {"first": first, "last": last, "asset": asset})
    return [(day, [_sum(*row[1:]) for row in of_day]) for day, of_day in groupby(rows, key=lambda row: row[0])]


async def days(session: AsyncSession, wanted: JournalFilter) -> list[date]:
    """Return the days that have transfers."""
    asked = {"first": wanted.first, "last": wanted.last, "line": wanted.line, "asset": wanted.asset}
    return list((await session.scalars(text(_DAYS), asked)).all())


async def journal(
    session: AsyncSession, wanted: JournalFilter, among: Sequence[date], *, after: Position | None, limit: int
) -> JournalPage:
    """Return up to `limit` transfers of the days `among`, from a position on."""
    found: list[JournalTransfer] = []
    for day in among:
        if after is not None and day < after[0]:
            continue
        place = after[1] if after is not None and after[0] == day else None
        read = await _of_day(session, wanted, day, place, limit + 1 - len(found))
        found += read
        if len(found) > limit:
            last = found[limit - 1]
            return JournalPage(found[:limit], (last.effective_at.astimezone(UTC).date(), uuid_of(last.id)))
    return JournalPage(found, None)


async def _of_day(
    session: AsyncSession, wanted: JournalFilter, day: date, after: UUID | None, limit: int
) -> list[JournalTransfer]:
    begins = datetime.combine(day, time(), UTC)
    since, until = max(begins, wanted.since or begins), min(begins + _DAY, wanted.until or begins + _DAY)
    asked = {"since": since, "until": until, "after": after, "limit": limit}
    rows = await session.execute(text(_JOURNAL), {**asked, "line": wanted.line, "asset": wanted.asset})
    transfers = []
    for key, of_transfer in groupby(rows.mappings(), key=lambda row: row["id"]):
        entries = list(of_transfer)
        first = entries[0]
        transfers.append(
            JournalTransfer(
                id=transfer_id(key),
                kind=first["kind"],
                reference=public_reference(first["kind"], first["reference"]),
                org_id=first["org_id"],
                effective_at=first["effective_at"],
                recorded_at=first["recorded_at"],
                entries=tuple(
                    JournalEntry(
                        account=row["path"],
                        line=row["line"],
                        kind=AccountKind(row["account_kind"]),
                        asset=row["asset"],
                        amount_minor=row["amount"],
                    )
                    for row in entries
                ),
            )
        )
    return transfers


def _sum(line: str, kind: str, asset: str, opening: int, debits: int, credits: int) -> LineSum:
    return LineSum(
        line=line,
        kind=AccountKind(kind),
        asset=asset,
        opening_minor=int(opening),
        debits_minor=int(debits),
        credits_minor=int(credits),
    )


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="what each line of the chart comes to on each day equals the entries that are added up",
        table="ledger.accounting_days",
        unit="days",
        violations="""
        SELECT day || ' ' || line || ' ' || asset || ': debits, credits ' ||
            coalesce(concat_ws(' ', d.debits, d.credits), 'none') || ', by the entries ' ||
            coalesce(concat_ws(' ', s.debits, s.credits), 'none')
        FROM ledger.accounting_days d
        FULL JOIN (
            SELECT s.* FROM ledger.accounting_place p,
                LATERAL ledger.sums_by_day('00000000-0000-0000-0000-000000000000', p.summed) s
        ) s USING (day, line, kind, asset)
        WHERE (d.debits, d.credits) IS DISTINCT FROM (s.debits, s.credits)
        """,
    ),
    Invariant(
        name="what each account of agents earned and paid out on each day equals the entries that are added up",
        table="ledger.earning_days",
        unit="days",
        violations="""
        SELECT day || ' of account ' || account_id || ': earned, paid out ' ||
            coalesce(concat_ws(' ', d.earned, d.paid_out), 'none') || ', by the entries ' ||
            coalesce(concat_ws(' ', s.earned, s.paid_out), 'none')
        FROM ledger.earning_days d
        FULL JOIN (
            SELECT s.* FROM ledger.accounting_place p,
                LATERAL ledger.earned_by_day('00000000-0000-0000-0000-000000000000', p.summed) s
        ) s USING (account_id, day)
        WHERE (d.earned, d.paid_out) IS DISTINCT FROM (s.earned, s.paid_out)
        """,
    ),
)
