"""Statements about credit notes."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.invoice import CreditNoteRow


async def of_invoice(session: AsyncSession, invoice_id: str) -> Sequence[CreditNoteRow]:
    """Return the notes of an invoice that the session may see, the oldest first."""
    query = select(CreditNoteRow).where(CreditNoteRow.invoice_id == invoice_id).order_by(CreditNoteRow.id)
    return (await session.scalars(query)).all()


async def made_by(session: AsyncSession, command_id: str) -> CreditNoteRow | None:
    """Return the note that a command made, if it did."""
    return (await session.scalars(select(CreditNoteRow).where(CreditNoteRow.command_id == command_id))).one_or_none()


async def add(session: AsyncSession, row: CreditNoteRow) -> None:
    """Insert a note; in the transaction of its transfer."""
    session.add(row)
    await session.flush()
