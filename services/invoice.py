"""Issues and voids invoices: what is receivable, the row, its number and the audit entry in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.access import Actor
from domain.accounts import Account
from domain.ids import invoice_transfer_key
from domain.invoice.lines import InvoiceLine, total_of
from domain.invoice.series import DocumentType, number_text
from domain.invoice.state import InvoiceStatus, require_voidable
from domain.money import format_amount
from ledger.gateway import Ledger
from models.invoice import InvoiceRow
from repositories import audit, invoice, organization
from runtime.database import driver_connection
from runtime.identity import new_id


async def issue(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    currency: str,
    lines: Sequence[InvoiceLine],
    note: str | None,
    due_in: timedelta,
    command_id: str,
    now: datetime,
) -> InvoiceRow:
    """Issue an invoice to an organization and make its total receivable, or return the one that the command issued.

    Whoever has a number holds up everybody else who wants one until the transaction ends, so it is taken last.

    Raises:
        NotFound: there is no such organization.
        Invalid: the lines do not come to a total that can be paid.
        IdempotencyConflict: the command issued another one.
    """
    await organization.get(session, org_id)
    row = InvoiceRow(
        id=new_id("inv"),
        org_id=org_id,
        status=InvoiceStatus.OPEN.value,
        currency=currency,
        total_minor=total_of(lines, currency),
        paid_minor=0,
        lines=invoice.as_stored(lines),
        note=note,
        issued_at=now,
        due_at=now + due_in,
        updated_at=now,
        created_by=actor.qualified(),
        command_id=command_id,
    )
    done = await invoice.made_before(session, row)
    if done is not None:
        return done
    posted = await Ledger(await driver_connection(session)).post(
        key=invoice_transfer_key(row.id, "issue"),
        kind="invoice.issued",
        source=accounts.org_receivable(row.org_id, row.currency),
        destination=_revenue(row),
        amount_minor=row.total_minor,
        reference=row.id,
        effective_at=row.issued_at,
        org_id=row.org_id,
    )
    row.transfer_id = posted.transfer_id
    await audit.record(session, actor, "invoice.issue", row.id, _details(row), row.org_id)
    row.number = number_text(await invoice.next_number(session, DocumentType.INVOICE.value))
    await invoice.add(session, row)
    return row


async def void(session: AsyncSession, actor: Actor, invoice_id: str, command_id: str, now: datetime) -> InvoiceRow:
    """Take back what was receivable by an invoice that nothing is paid on; the command that did so finds it void.

    Raises:
        NotFound: there is no such invoice.
        WrongInvoiceState: something is paid on it, or it is void by another command.
        IdempotencyConflict: the command voided another one.
    """
    row = await invoice.get(session, invoice_id, locked=True)
    if await invoice.voided_before(session, row, command_id):
        return row
    require_voidable(invoice.standing_of(row))
    posted = await Ledger(await driver_connection(session)).post(
        key=invoice_transfer_key(row.id, "void"),
        kind="invoice.voided",
        source=_revenue(row),
        destination=accounts.org_receivable(row.org_id, row.currency),
        amount_minor=row.total_minor,
        reference=row.id,
        effective_at=now,
        org_id=row.org_id,
    )
    await invoice.write_void(session, row, posted.transfer_id, command_id, now)
    await audit.record(session, actor, "invoice.void", row.id, {"number": row.number, **_details(row)}, row.org_id)
    return row


def _revenue(row: InvoiceRow) -> Account:
    return accounts.platform("revenue/invoices", row.currency)


def _details(row: InvoiceRow) -> dict[str, str]:
    return {"amount": format_amount(row.total_minor, row.currency), "currency": row.currency}
