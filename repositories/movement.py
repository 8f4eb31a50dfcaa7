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

#: Entries of other accounts in the same transfer; a tenant's session sees its own accounts among them only.
_SELECT = """
SELECT e.transfer_id, e.account_id, e.version, t.kind, e.amount, e.asset, e.balance_after, a.path, t.reference,
       e.effective_at, t.recorded_at,
       ARRAY(SELECT DISTINCT other.path FROM ledger.entries o JOIN ledger.accounts other ON other.id = o.account_id
             WHERE o.transfer_id = e.transfer_id AND o.account_id <> e.account_id ORDER BY other.path) AS counterparties
FROM ledger.entries e
JOIN ledger.accounts a ON a.id = e.account_id
JOIN ledger.transfers t ON t.id = e.transfer_id
WHERE {where}
ORDER BY e.transfer_id DESC, e.account_id DESC, e.version DESC
LIMIT :limit
"""


async def page(
    session: AsyncSession, wanted: MovementFilter, *, after: Position | None, limit: int
) -> Sequence[RowMapping]:
    """List entries, the newest recorded first."""
    values: dict[str, Any] = {"limit": limit}
    clauses = ["true"]
    for name, clause in _CLAUSES.items():
        value = getattr(wanted, name)
        if value is not None:
            clauses.append(clause)
            values[name] = _pattern(value) if name == "search" else value
    if after is not None:
        clauses.append("(e.transfer_id, e.account_id, e.version) < (:after_transfer, :after_account, :after_version)")
        values |= dict(zip(("after_transfer", "after_account", "after_version"), after, strict=True))
    statement = text(_SELECT.format(where=" AND ".join(clauses)))
    return (await session.execute(statement, values)).mappings().all()


def _pattern(search: str) -> str:
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
