"""One transfer of the books, with the entries that the session sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import uuid_id

_TRANSFER = text("""
    SELECT id, kind, reference, effective_at, recorded_at, idempotency_key FROM ledger.transfers WHERE id = :id
""")
#: As many as an invoice of many lines has, and more than any other transfer.
_ENTRIES = text("""
    SELECT a.path, a.org_id, e.asset, e.amount, e.balance_after
    FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
    WHERE e.transfer_id = :id ORDER BY e.asset, e.amount, a.path, e.version LIMIT 1000
""")
#: A use of credits is found by its key, or by its number, which the transfer refers to.
_SPEND = text("""
    SELECT s.id, s.expires_at IS NOT NULL AS is_reservation FROM ledger.spends s
    WHERE s.idempotency_key = :key AND s.org_id = ANY(CAST(:org_ids AS text[]))
    UNION ALL
    SELECT s.id, s.expires_at IS NOT NULL FROM ledger.spends s
    WHERE s.org_id = ANY(CAST(:org_ids AS text[])) AND s.id = CAST(:number AS uuid)
    LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer, and its entries that the session sees: never none."""

    row: RowMapping
    entries: Sequence[RowMapping]


async def find(session: AsyncSession, transfer_id: UUID) -> Transfer | None:
    """Return a transfer; None where there is none, or none with an entry that the session sees."""
    row = (await session.execute(_TRANSFER, {"id": transfer_id})).mappings().one_or_none()
    if row is None:
        return None
    entries = (await session.execute(_ENTRIES, {"id": transfer_id})).mappings().all()
    return Transfer(row, entries) if entries else None


async def spend_of(session: AsyncSession, transfer: Transfer) -> str | None:
    """Return the id of the use or reservation of credits that a transfer belongs to; None where there is none."""
    org_ids = sorted({entry["org_id"] for entry in transfer.entries if entry["org_id"] is not None})
    asked = {"key": transfer.row["idempotency_key"], "number": _number(transfer.row["reference"]), "org_ids": org_ids}
    found = (await session.execute(_SPEND, asked)).one_or_none()
    return None if found is None else uuid_id("hold" if found.is_reservation else "spd", found.id)


def _number(reference: str | None) -> UUID | None:
    try:
        return UUID(reference)
    except (TypeError, ValueError):
        return None
