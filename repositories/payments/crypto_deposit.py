"""SQL of deposit addresses of payments in coins, their key indexes, and their receipts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.payments.crypto_deposit import CryptoDepositRow, CryptoIndexRow, CryptoReceiptRow


async def lock(session: AsyncSession, payment_id: str) -> None:
    """Lock the deposit address of a payment until the transaction ends, even before it exists."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"deposit:{payment_id}", 0))))


async def take_index(session: AsyncSession, chain_key: str) -> int:
    """Take the next index of a key. Concurrent transactions wait until this one ends."""
    statement = insert(CryptoIndexRow).values(chain_key=chain_key, next_index=1)
    taken = statement.on_conflict_do_update(
        index_elements=["chain_key"], set_={"next_index": CryptoIndexRow.next_index + 1}
    ).returning(CryptoIndexRow.next_index)
    return (await session.execute(taken)).scalar_one() - 1


async def add(session: AsyncSession, values: Mapping[str, Any]) -> CryptoDepositRow:
    """Insert the deposit address of a payment, in the transaction that took its index."""
    return (await session.scalars(insert(CryptoDepositRow).values(**values).returning(CryptoDepositRow))).one()


async def get(session: AsyncSession, payment_id: str) -> CryptoDepositRow | None:
    return await session.get(CryptoDepositRow, payment_id)


async def recent(
    session: AsyncSession, since: datetime, until: datetime, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[CryptoDepositRow]:
    """Return the deposit addresses made in `[since, until)`, oldest first, after a time and payment."""
    made, payment_id = CryptoDepositRow.created_at, CryptoDepositRow.payment_id
    found = select(CryptoDepositRow).where(made >= since, made < until).order_by(made, payment_id).limit(limit)
    if after is not None:
        found = found.where(tuple_(made, payment_id) > tuple_(*after))
    return (await session.scalars(found)).all()


async def receipts_of(session: AsyncSession, payment_ids: Iterable[str]) -> Sequence[CryptoReceiptRow]:
    """Return the receipts of payments in the order in which they became final."""
    receipt = CryptoReceiptRow
    found = select(receipt).where(receipt.payment_id.in_(list(payment_ids)))
    return (await session.scalars(found.order_by(receipt.final_at, receipt.tx, receipt.index))).all()


async def received(
    session: AsyncSession, since: datetime, until: datetime, *, after: tuple[str, str, int, int] | None, limit: int
) -> Sequence[CryptoReceiptRow]:
    """Return the receipts that became final or were reversed in `[since, until)`, after a given one.

    The order is asset, transaction, index, generation.
    """
    row, final, reversed_ = CryptoReceiptRow, CryptoReceiptRow.final_at, CryptoReceiptRow.reversed_at
    order = row.asset, row.tx, row.index, row.generation
    found = select(row).where(or_(and_(final >= since, final < until), and_(reversed_ >= since, reversed_ < until)))
    if after is not None:
        found = found.where(tuple_(*order) > tuple_(*after))
    return (await session.scalars(found.order_by(*order).limit(limit))).all()


async def advance(session: AsyncSession, payment_id: str, version: int, scanned_height: int) -> bool:
    place = CryptoDepositRow
    step = (
        update(place)
        .where(place.payment_id == payment_id, place.version == version)
        .values(version=version + 1, scanned_height=func.greatest(place.scanned_height, scanned_height))
        .returning(place.version)
    )
    return (await session.execute(step)).one_or_none() is not None


async def cancel(session: AsyncSession, payment_id: str, at: datetime) -> None:
    """Record when a payment was cancelled; the first time is kept."""
    place = CryptoDepositRow
    noted = update(place).where(place.payment_id == payment_id, place.cancelled_at.is_(None))
    await session.execute(noted.values(cancelled_at=at, version=place.version + 1))


async def add_receipts(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await session.execute(insert(CryptoReceiptRow), [dict(row) for row in rows])


async def change_receipt(session: AsyncSession, key: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Change the block of a receipt, or mark it as reversed; `key` is the primary key."""
    receipt = CryptoReceiptRow
    found = tuple_(receipt.chain, receipt.asset, receipt.tx, receipt.index, receipt.generation) == tuple_(*key)
    await session.execute(update(receipt).where(found).values(**values))
