"""The history of an organization's accounts, read from the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

#: Where a page begins: transfer, account and version of the last row before it.
Position = tuple[UUID, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementFilter:
    """What to show; None is everything. `since` is inclusive, `until` is not; both are business time."""

    org_id: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    account: str | None = None
    reference: str | None = None
    search: str | None = None


_CLAUSES = {
    "org_id": "a.org_id = :org_id",
    "kind": "t.kind = :kind",
    "since": "e.effective_at >= :since",
    "until": "e.effective_at < :until",
    "account": "a.path = :account",
    "reference": "t.reference = :reference",
    "search": "(t.reference ILIKE :search OR t.kind ILIKE :search OR a.path ILIKE :search)",
}

#: Filters that need the transfer; without them a page joins as many transfers as it shows.
_OF_TRANSFER = frozenset({"kind", "reference", "search"})
_JOIN = "JOIN ledger.transfers t ON t.id = e.transfer_id"

#: Entries of other accounts in the same transfer; a tenant's session sees its own accounts among them only.
_SELECT = """
WITH chosen AS MATERIALIZED (
    SELECT e.transfer_id, e.account_id, e.version, e.amount, e.asset, e.balance_after, e.effective_at, a.path
    FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id {join}
    WHERE {where}
    ORDER BY e.transfer_id DESC, e.account_id DESC, e.version DESC
    LIMIT :limit
)
SELECT c.*, t.kind, t.reference, t.recorded_at,
       ARRAY(SELECT DISTINCT other.path FROM ledger.entries o JOIN ledger.accounts other ON other.id = o.account_id
             WHERE o.transfer_id = c.transfer_id AND o.account_id <> c.account_id ORDER BY other.path) AS counterparties
FROM chosen c JOIN ledger.transfers t ON t.id = c.transfer_id
ORDER BY c.transfer_id DESC, c.account_id DESC, c.version DESC
"""


async def page(
    session: AsyncSession, wanted: MovementFilter, *, after: Position | None, limit: int
) -> Sequence[RowMapping]:
    """List entries, the newest recorded first."""
    values: dict[str, Any] = {"limit": limit}
    clauses, join = ["true"], ""
    for name, clause in _CLAUSES.items():
        value = getattr(wanted, name)
        if value is not None:
            clauses.append(clause)
            join = _JOIN if name in _OF_TRANSFER else join
            values[name] = _pattern(value) if name == "search" else value
    if after is not None:
        clauses.append("(e.transfer_id, e.account_id, e.version) < (:after_transfer, :after_account, :after_version)")
        values |= dict(zip(("after_transfer", "after_account", "after_version"), after, strict=True))
    statement = text(_SELECT.format(join=join, where=" AND ".join(clauses)))
    return (await session.execute(statement, values)).mappings().all()


def _pattern(search: str) -> str:
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
