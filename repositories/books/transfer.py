"""A transfer of the ledger, with the entries that the session may see."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import uuid_id

_TRANSFER = text("""
    SELECT id, kind, reference, effective_at, recorded_at, idempotency_key FROM ledger.transfers WHERE id = :id
""")
#: The maximum number of entries, which only transfers of invoices with many lines reach.
_ENTRIES = text("""
    SELECT a.path, a.org_id, e.asset, e.amount, e.balance_after
    FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
    WHERE e.transfer_id = :id ORDER BY e.asset, e.amount, a.path, e.version LIMIT 1000
""")
_VISIBLE = text("SELECT DISTINCT transfer_id FROM ledger.entries WHERE transfer_id = ANY(CAST(:ids AS uuid[]))")
#: A spend is found by its key, or by its number in the transfer's reference.
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
    """A transfer, and its entries that the session may see, at least one."""

    row: RowMapping
    entries: Sequence[RowMapping]


async def find(session: AsyncSession, transfer_id: UUID) -> Transfer | None:
    """Return a transfer; None if there is none with an entry that the session may see."""
    row = (await session.execute(_TRANSFER, {"id": transfer_id})).mappings().one_or_none()
    if row is None:
        return None
    entries = (await session.execute(_ENTRIES, {"id": transfer_id})).mappings().all()
    return Transfer(row, entries) if entries else None


async def visible(session: AsyncSession, transfer_ids: Collection[UUID]) -> frozenset[UUID]:
    found = await session.execute(_VISIBLE, {"ids": list(transfer_ids)}) if transfer_ids else ()
    return frozenset(row.transfer_id for row in found)


async def spend_of(session: AsyncSession, transfer: Transfer) -> str | None:
    """Return the id of the spend or reservation that a transfer belongs to; None if there is none."""
    org_ids = sorted({entry["org_id"] for entry in transfer.entries if entry["org_id"] is not None})
    asked = {"key": transfer.row["idempotency_key"], "number": _number(transfer.row["reference"]), "org_ids": org_ids}
    found = (await session.execute(_SPEND, asked)).one_or_none()
    return None if found is None else uuid_id("hold" if found.is_reservation else "spd", found.id)


def _number(reference: str | None) -> UUID | None:
    try:
        return UUID(reference)
    except (TypeError, ValueError):
        return None
