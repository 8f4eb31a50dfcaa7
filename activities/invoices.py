"""Issues and withdraws invoices: what is receivable, the row, its number and the audit entry in one transaction.

The caller's transaction: nothing here commits.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.access import Actor
from domain.accounts import Account
from domain.ids import invoice_transfer_key
from domain.invoice import SEQUENCE, number_text
from domain.money import format_amount
from ledger.gateway import Ledger
from models.invoice import InvoiceRow
from repositories import audit, invoice
from runtime.database import driver_connection


async def issue(session: AsyncSession, actor: Actor, row: InvoiceRow) -> InvoiceRow:
    """Make the invoice's total receivable and write its row, which gets its transfer and its number here.

    Whoever has a number holds up everybody else who wants one until the transaction ends, so it is taken last.
    """
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
    await audit.record(session, actor, "invoice.issue", row.id, _told(row), row.org_id)
    row.number = number_text(await invoice.next_number(session, SEQUENCE))
    await invoice.add(session, row)
    return row


async def withdraw(session: AsyncSession, actor: Actor, row: InvoiceRow, command_id: str, now: datetime) -> None:
    """Take back what was receivable; the caller holds the row's lock, and nothing is paid on it."""
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
    await audit.record(session, actor, "invoice.void", row.id, {"number": row.number, **_told(row)}, row.org_id)


def _revenue(row: InvoiceRow) -> Account:
    return accounts.platform("revenue/invoices", row.currency)


def _told(row: InvoiceRow) -> dict[str, str]:
    return {"amount": format_amount(row.total_minor, row.currency), "currency": row.currency}
