"""Statements about credit notes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.state import InvoiceStatus
from domain.common.errors import NotFound
from domain.common.ids import is_id
from models.billing.invoice import CreditNoteRow, InvoiceRow


async def of_invoice(session: AsyncSession, invoice_id: str) -> Sequence[CreditNoteRow]:
    """Return the notes of an invoice that the session may see, the oldest first."""
    query = select(CreditNoteRow).where(CreditNoteRow.invoice_id == invoice_id).order_by(CreditNoteRow.id)
    return (await session.scalars(query)).all()


async def get(session: AsyncSession, invoice_id: str, note_id: str) -> CreditNoteRow:
    """Return a note of an invoice; NotFound if the session sees none."""
    found = await session.get(CreditNoteRow, note_id) if is_id(note_id, "crn") else None
    if found is None or found.invoice_id != invoice_id:
        raise NotFound("There is no such credit note.")
    return found


async def credits_returned_since(session: AsyncSession, org_id: str, since: datetime, *, besides: str) -> int:
    """Return the credits that credit notes and voided invoices have returned to an organization since a time.

    Those of the command `besides` are excluded.
    """
    note, void = CreditNoteRow, InvoiceRow
    noted = select(func.coalesce(func.sum(note.credits_minor), 0)).where(
        note.org_id == org_id, note.issued_at > since, note.command_id != besides
    )
    credits = void.prepaid_credits_minor + void.granted_credits_minor + void.taxed_credits_minor
    voided = select(func.coalesce(func.sum(credits), 0)).where(
        void.org_id == org_id,
        void.status == InvoiceStatus.VOID.value,
        void.updated_at > since,
        void.void_command_id != besides,
    )
    return int(await session.scalar(noted) or 0) + int(await session.scalar(voided) or 0)


async def add(session: AsyncSession, row: CreditNoteRow) -> None:
    session.add(row)
    await session.flush()
