"""Statements about credit notes."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from models.invoice import CreditNoteRow


async def of_invoice(session: AsyncSession, invoice_id: str) -> Sequence[CreditNoteRow]:
    """Return the notes of an invoice that the session may see, the oldest first."""
    query = select(CreditNoteRow).where(CreditNoteRow.invoice_id == invoice_id).order_by(CreditNoteRow.id)
    return (await session.scalars(query)).all()


async def get(session: AsyncSession, invoice_id: str, note_id: str) -> CreditNoteRow:
    """Return a note of an invoice; NotFound when there is none, or it is not the session's to see."""
    found = await session.get(CreditNoteRow, note_id) if is_id(note_id, "crn") else None
    if found is None or found.invoice_id != invoice_id:
        raise NotFound("There is no such credit note.")
    return found


async def made_by(session: AsyncSession, command_id: str) -> CreditNoteRow | None:
    """Return the note that a command made, if it did."""
    return (await session.scalars(select(CreditNoteRow).where(CreditNoteRow.command_id == command_id))).one_or_none()


async def add(session: AsyncSession, row: CreditNoteRow) -> None:
    """Insert a note; in the transaction of its transfer."""
    session.add(row)
    await session.flush()
