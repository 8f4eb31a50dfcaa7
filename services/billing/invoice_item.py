"""Items that are charged with an organization's next monthly invoice."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import InvoiceItemLimitReached, InvoiceItemNotOpen
from models.billing.billing_run import InvoiceItemRow
from repositories.billing import billing_run as runs
from repositories.common.command import existing_row
from repositories.tenants import audit, organization

#: How many items an organization may have that are on no invoice.
MOST_ITEMS = 100


async def add(session: AsyncSession, actor: Actor, row: InvoiceItemRow) -> InvoiceItemRow:
    """Add an item to the organization's next monthly invoice, or return the one that the command added."""
    await organization.lock(session, row.org_id)
    done = await existing_row(
        session, row, ("org_id", "currency", "description", "quantity", "unit_minor", "created_by")
    )
    if done is not None:
        return done
    await organization.refuse_closed(session, row.org_id)
    waiting = await runs.open_items(session, [row.org_id])
    if sum(len(each) for each in waiting.values()) >= MOST_ITEMS:
        raise InvoiceItemLimitReached(
            f"{MOST_ITEMS} items wait for the next invoice. Remove one, or issue an invoice for it now."
        )
    await runs.add_item(session, row)
    await audit.record(session, actor, "invoice_item.add", row.id, org_id=row.org_id)
    return row


async def remove(session: AsyncSession, actor: Actor, item_id: str, now: datetime) -> InvoiceItemRow:
    """Remove an item, so that it is not charged. Idempotent."""
    removed = await runs.remove_item(session, item_id, now)
    row = await runs.item(session, item_id)
    if row.invoice_id is not None:
        raise InvoiceItemNotOpen(
            f"The item is on the invoice {row.invoice_id} already, so it cannot be removed.",
            extra={"invoice_id": row.invoice_id},
        )
    if removed:
        await audit.record(session, actor, "invoice_item.remove", row.id, org_id=row.org_id)
    return row
