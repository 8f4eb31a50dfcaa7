"""Statements of accounts. Their cost does not depend on the entries before the period.

The entries of an account are numbered by version in the order of booking. The first and last version of a period are
found by binary search, so a statement reads its own lines and some twenty other entries. All functions need the
platform's session, because they read the accounts on the other side; other organizations' accounts are not named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.account_statement import StatementLine, StatementPeriod
from domain.common.ids import public_reference, transfer_id

#: How many versions back the search looks for an entry with a later time. Concurrent transfers take their time before
#: the lock that numbers their entries, so times may be out of order by a few versions. With this, two adjacent
#: statements agree where one ends and the other begins.
_MEETING = 100

_VERSION_AT = f"""
    WITH RECURSIVE search (lo, hi) AS (
        SELECT 0::bigint, b.version FROM ledger.balances b WHERE b.account_id = {{account}} AND b.stripe = 0
        UNION ALL
        SELECT CASE WHEN m.is_before THEN m.middle ELSE s.lo END, CASE WHEN m.is_before THEN s.hi ELSE m.middle - 1 END
        FROM search s CROSS JOIN LATERAL (
            SELECT e.version AS middle, {{moment}} < {{at}} AS is_before
            FROM ledger.entries e JOIN ledger.transfers t ON t.id = e.transfer_id
            WHERE e.account_id = {{account}} AND e.stripe = 0 AND e.version = (s.lo + s.hi + 1) / 2
        ) m
        WHERE s.lo < s.hi
    )
    SELECT coalesce((
        SELECT min(e.version) - 1 FROM ledger.entries e JOIN ledger.transfers t ON t.id = e.transfer_id
        WHERE e.account_id = {{account}} AND e.stripe = 0 AND e.version > search.lo - {_MEETING}
            AND e.version <= search.lo AND {{moment}} >= {{at}}
    ), search.lo)
    FROM search WHERE search.lo >= search.hi
"""


def version_at(account: str, at: str, *, moment: str = "t.recorded_at") -> str:
    """Return a query of the version that an account had at a time, by binary search, for use in a larger statement.

    Args:
        account: an SQL expression of the account's id.
        at: an SQL expression of the time.
        moment: an SQL expression of the time of a transfer `t`; it must grow with the versions of an account.
    """
    return _VERSION_AT.format(account=account, at=at, moment=moment)


def version_before(account: str, since: str) -> str:
    """Return a query of a version of an account before every entry with an effective time from `since` on.

    Effective times may be out of the order of booking, but an entry is never booked before its effective time, except
    for differences of clocks. So entries that were booked more than a day before `since` are skipped.

    Args:
        account: an SQL expression of the account's id.
        since: an SQL expression of the effective time.
    """
    begin = f"CAST({since} AS timestamptz) - interval '1 day'"
    return version_at(account, begin, moment="greatest(t.recorded_at, t.effective_at)")


_BALANCE = """
    coalesce((
        SELECT e.balance_after FROM ledger.entries e
        WHERE e.account_id = {account} AND e.stripe = 0 AND e.version = {version}
    ), 0)
"""
_ACCOUNT = """
SELECT id, asset FROM ledger.accounts
WHERE path = :path AND org_id = :org_id AND (CAST(:asset AS text) IS NULL OR asset = :asset) ORDER BY asset LIMIT 1
"""
_BOUNDS = f"""
SELECT f.version AS first, l.version AS last, {_BALANCE.format(account=":account", version="f.version")} AS opening,
    {_BALANCE.format(account=":account", version="l.version")} AS closing
FROM ({version_at(":account", ":since")}) f (version),
    ({version_at(":account", ":until")}) l (version)
"""
#: If the limit cuts a transfer, all of its entries are included: its entries of one account are consecutive.
_LINES = """
WITH page AS MATERIALIZED (
    SELECT DISTINCT p.transfer_id FROM (
        SELECT e.transfer_id FROM ledger.entries e
        WHERE e.account_id = :account AND e.stripe = 0 AND e.version > :first AND e.version <= :last
        ORDER BY e.version LIMIT :limit
    ) p
), moved AS MATERIALIZED (
    SELECT e.transfer_id, sum(e.amount)::bigint AS amount, max(e.version) AS version,
        (array_agg(e.balance_after ORDER BY e.version DESC))[1] AS balance
    FROM page JOIN ledger.entries e ON e.transfer_id = page.transfer_id AND e.account_id = :account
    GROUP BY e.transfer_id
)
SELECT m.*, t.kind, t.reference, t.effective_at, t.recorded_at,
    ARRAY(
        SELECT DISTINCT CASE WHEN a.org_id = :org_id THEN a.path WHEN a.org_id IS NULL THEN 'platform'
            ELSE 'organization' END
        FROM ledger.entries o JOIN ledger.accounts a ON a.id = o.account_id
        WHERE o.transfer_id = m.transfer_id AND o.account_id <> :account ORDER BY 1
    ) AS counterparties,
    CASE split_part(t.reference, '_', 1)
        WHEN 'esc' THEN (
            SELECT c.title FROM escrows x JOIN contracts c ON c.id = x.contract_id
            WHERE x.id = t.reference AND :org_id IN (x.org_id, x.payee_org_id)
        )
        WHEN 'inv' THEN (SELECT i.number FROM invoices i WHERE i.id = t.reference AND i.org_id = :org_id)
        WHEN 'agt' THEN (SELECT g.name FROM agents g WHERE g.id = t.reference AND g.org_id = :org_id)
        WHEN 'pay' THEN (
            SELECT p.purpose || ' by ' || p.provider FROM payments p WHERE p.id = t.reference AND p.org_id = :org_id
        )
        ELSE CASE
            WHEN t.kind NOT LIKE 'use%' THEN NULL
            WHEN t.reference IS NULL THEN (
                SELECT s.action FROM ledger.spends s
                WHERE s.idempotency_key = t.idempotency_key AND s.org_id = :org_id
            )
            WHEN t.reference ~ '^[0-9a-f]{8}-[0-9a-f-]{27}$' THEN (
                SELECT s.action FROM ledger.spends s WHERE s.id = t.reference::uuid AND s.org_id = :org_id
            )
        END
    END AS purpose,
    ARRAY(
        SELECT jsonb_build_array(l.paid_asset, sum(u.cost)) FROM ledger.lot_uses u
        JOIN ledger.lots l ON l.id = u.lot_id AND l.account_id = :account
        JOIN ledger.lots r ON r.id = l.root_id AND r.org_id = :org_id
        WHERE u.transfer_id = m.transfer_id AND m.amount < 0 AND u.cost > 0 AND l.lapses
        GROUP BY l.paid_asset
        UNION ALL
        SELECT jsonb_build_array(n.paid_asset, sum(n.paid)) FROM (
            -- A lot is opened with its transfer, and has an id of that time.
            (SELECT l.* FROM ledger.lots l WHERE l.org_id = :org_id AND l.id > m.transfer_id AND m.amount > 0
            ORDER BY l.id LIMIT 20)
            UNION ALL
            (SELECT l.* FROM ledger.lots l WHERE l.org_id = :org_id AND l.id < m.transfer_id AND m.amount > 0
            ORDER BY l.id DESC LIMIT 20)
        ) n JOIN ledger.lots r ON r.id = n.root_id AND r.org_id = :org_id
        WHERE n.transfer_id = m.transfer_id AND n.account_id = :account AND n.paid > 0 AND n.lapses
        GROUP BY n.paid_asset
        ORDER BY 1
    ) AS paid
FROM moved m JOIN ledger.transfers t ON t.id = m.transfer_id
ORDER BY m.version
"""
_BALANCES = f"""
SELECT a.id, a.path, a.asset, coalesce({_BALANCE.format(account="a.id", version="v.version")}, 0) AS balance
FROM (
    SELECT id, path, asset FROM ledger.accounts
    WHERE org_id = :org_id AND path NOT LIKE 'escrow/%' AND created_at < :at AND id > :after
        AND (CAST(:path AS text) IS NULL OR path = :path)
    ORDER BY id LIMIT :limit
) a
LEFT JOIN LATERAL ({version_at("a.id", ":at")}) v (version) ON true
ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class StatedAccount:
    id: int
    asset: str


@dataclass(frozen=True, slots=True)
class StatementBounds:
    """The versions of an account in a period, after `first` up to `last`, and its balances at both, in minor units."""

    first: int
    last: int
    opening: int
    closing: int


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The balance of an account at a time, in minor units."""

    id: int
    path: str
    asset: str
    balance: int


async def find(session: AsyncSession, org_id: str, path: str, asset: str | None) -> StatedAccount | None:
    found = (await session.execute(text(_ACCOUNT), {"path": path, "asset": asset, "org_id": org_id})).one_or_none()
    return None if found is None else StatedAccount(*found)


async def bounds(session: AsyncSession, account: StatedAccount, period: StatementPeriod) -> StatementBounds:
    """Return the versions and balances of an account at the beginning and the end of a period."""
    values = {"account": account.id, "since": period.since, "until": period.until}
    return StatementBounds(*(await session.execute(text(_BOUNDS), values)).one())


async def lines(
    session: AsyncSession, org_id: str, account: StatedAccount, *, first: int, last: int, limit: int
) -> Sequence[StatementLine]:
    """Return up to `limit` lines after version `first` up to `last`, in the order of booking."""
    values = {"org_id": org_id, "account": account.id, "first": first, "last": last, "limit": limit}
    return [
        StatementLine(
            transfer_id=transfer_id(row.transfer_id),
            version=row.version,
            amount_minor=row.amount,
            balance_minor=row.balance,
            kind=row.kind,
            reference=public_reference(row.kind, row.reference),
            purpose=row.purpose,
            counterparties=tuple(row.counterparties),
            paid=tuple((asset, int(amount)) for asset, amount in row.paid),
            effective_at=row.effective_at,
            recorded_at=row.recorded_at,
        )
        for row in await session.execute(text(_LINES), values)
    ]


async def balances(
    session: AsyncSession, org_id: str, at: datetime, *, path: str | None, after: int, limit: int
) -> Sequence[AccountBalance]:
    """Return the balances of up to `limit` accounts of an organization at a time, after an id; escrows are left out."""
    values = {"org_id": org_id, "at": at, "path": path, "after": after, "limit": limit}
    return [AccountBalance(*row) for row in await session.execute(text(_BALANCES), values)]
