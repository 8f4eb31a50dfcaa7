"""Credit lots: the record of each grant."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.credit_lot import CreditLot

_COLUMNS = tuple(column.key for column in CreditLot.__table__.columns if column.key != "created_at")


async def of_command(session: AsyncSession, command_id: str) -> CreditLot | None:
    """Return the lot that this command made, if it did.

    Until the transaction ends nobody else works on the command: whoever runs it twice at once waits here, and then
    finds the lot.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(command_id, 0))))
    return (await session.scalars(select(CreditLot).where(CreditLot.command_id == command_id))).one_or_none()


async def add(session: AsyncSession, lot: CreditLot) -> CreditLot:
    """Insert a lot; in the transaction of its transfer."""
    statement = insert(CreditLot).values({name: getattr(lot, name) for name in _COLUMNS}).returning(CreditLot)
    return (await session.scalars(statement)).one()
