"""Voids or writes off unpaid invoices, and resumes the collection of reopened ones; in the caller's transaction."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice import booking
from domain.billing.invoice.booking import InvoicePosting
from domain.billing.invoice.state import InvoiceStatus, require_collectible, require_voidable
from domain.common import accounts
from domain.common.access import Actor
from domain.common.approval import ApprovalAction, content_above, content_of
from domain.common.errors import ChargeUnderWay
from domain.common.ids import give_up_cause
from domain.common.money import format_amount
from models.billing.invoice import InvoiceRow
from repositories.billing import invoice, invoice_line, subscription_bill
from repositories.credits import credit_lot
from repositories.payments import payment
from repositories.tenants import audit
from services.billing import subscription_refund
from services.billing.invoice import details_of, post
from services.common import approval
from services.credits.credit_lot import ManualGrantRules, needs_approval
from services.reputation import reputation


def at_stake_minor(row: InvoiceRow, action: ApprovalAction) -> int:
    """Return the amount for the two-operator limit: the total, and the granted credits that voiding returns."""
    back = row.granted_minor + row.taxed_minor if action is ApprovalAction.INVOICE_VOID else 0
    return row.total_minor + back


async def void(
    session: AsyncSession,
    actor: Actor,
    invoice_id: str,
    command_id: str,
    now: datetime,
    *,
    by_hand: ManualGrantRules | None = None,
) -> InvoiceRow:
    """Void an invoice: reverse all of its bookings, and refund its credits. Idempotent for the command.

    `by_hand` holds the limit above which two operators have to approve it; None for no limit.
    """
    if by_hand is not None:
        await credit_lot.lock_grants(session, (await invoice.get(session, invoice_id)).org_id)
    row = await invoice.get(session, invoice_id, locked=True)
    if await invoice.voided_before(session, row, command_id):
        return row
    balance = invoice.balance_of(row)
    require_voidable(
        balance, row.currency, credited_minor=row.credited_minor, taxed_credits_minor=row.taxed_credits_minor
    )
    booking.require_own_revenue(invoice_line.parts_of_row(row), row.status)
    await _approved(session, row, ApprovalAction.INVOICE_VOID, by_hand, command_id, now)
    postings = booking.reversal_postings(row.org_id, row.currency, invoice_line.parts_of_row(row))
    postings += booking.credit_return_postings(
        row.org_id,
        row.currency,
        granted_credits=row.granted_credits_minor,
        taxed_credits=row.taxed_credits_minor,
        credits=row.prepaid_credits_minor,
        prepaid_minor=row.prepaid_minor,
    )
    postings += booking.rounding_postings(row.org_id, row.currency, row.rounded_minor, back=True)
    posted = await post(session, row, postings, step="void", kind="invoice.voided", now=now)
    await invoice.write_void(session, row, posted.transfer_id, command_id, now)
    await audit.record(session, actor, "invoice.void", row.id, {"number": row.number, **details_of(row)}, row.org_id)
    return row


async def mark_uncollectible(
    session: AsyncSession,
    actor: Actor,
    invoice_id: str,
    command_id: str,
    now: datetime,
    *,
    by_hand: ManualGrantRules | None = None,
    by_plan: bool = False,
) -> InvoiceRow:
    """Mark an open invoice as uncollectible: what is due becomes the platform's bad debt.

    The remaining credits of a subscription's bill are clawed back. Reputation evidence from its unpaid credits is void;
    `reputation.refresh` updates scores.

    A payment that arrives later is returned, as for any invoice on which nothing is due. `by_hand` holds the limit
    above which two operators have to approve it; None for no limit. `by_plan` is set by dunning, which has waited for
    payments under way.

    Raises:
        ChargeUnderWay: a payment of it is processing, and would be returned.
    """
    row = await invoice.get(session, invoice_id, locked=True)
    if await invoice.written_off_before(session, row, command_id):
        return row
    due = require_collectible(invoice.balance_of(row))
    under_way = None if by_plan else await payment.processing_of_invoice(session, row.org_id, row.id)
    if under_way is not None:
        raise ChargeUnderWay(
            f"The payment {under_way} of this invoice is processing. The invoice cannot be given up before that ends.",
            extra={"state": row.status, "payment_id": under_way},
        )
    await _approved(session, row, ApprovalAction.INVOICE_GIVE_UP, by_hand, command_id, now)
    receivable = accounts.org_receivable(row.org_id, row.currency)
    postings = [InvoicePosting(accounts.platform("bad_debt", row.currency), receivable, due)]
    bill = await subscription_bill.bill_of_invoice(session, row.id)
    if bill is not None:
        # Money that comes later is returned, as after a chargeback that is won, so nothing will have paid for them.
        also = [account for posting in postings for account in (posting.source, posting.destination)]
        await subscription_refund.claw_back(session, bill, cause=give_up_cause(command_id), now=now, also=also)
    step = "write_off" if row.write_off_transfer_id is None else f"write_off:{command_id}"
    posted = await post(session, row, postings, step=step, kind="invoice.uncollectible", now=now)
    row.status, row.written_off_minor, row.paused_for = (
        InvoiceStatus.UNCOLLECTIBLE.value,
        row.written_off_minor + due,
        None,
    )
    row.write_off_transfer_id, row.write_off_command_id, row.updated_at = posted.transfer_id, command_id, now
    await session.flush()
    lost = {"number": row.number, "amount": format_amount(due, row.currency), "currency": row.currency}
    await audit.record(session, actor, "invoice.uncollectible", row.id, lost, row.org_id)
    await reputation.void_or_restore_for_bill(session, row.id, at=now)
    return row


async def resume(session: AsyncSession, actor: Actor, invoice_id: str, now: datetime) -> InvoiceRow:
    """Resume charges and dunning of an invoice that a refund or a chargeback has reopened. Idempotent."""
    row = await invoice.get(session, invoice_id, locked=True)
    if row.paused_for is not None:
        details = {"number": row.number, "paused_for": row.paused_for}
        row.paused_for, row.updated_at = None, now
        await session.flush()
        await audit.record(session, actor, "invoice.resume", row.id, details, row.org_id)
    return row


async def approval_content(
    session: AsyncSession,
    row: InvoiceRow,
    action: ApprovalAction,
    by_hand: ManualGrantRules | None,
    *,
    command_id: str,
    now: datetime,
) -> dict[str, object] | None:
    """Return the content that two operators have to approve; None if one is enough, or the command voided `row`.

    Credits that voiding returns count with all grants to the organization within a day.
    """
    if by_hand is None or row.void_command_id == command_id:
        return None
    amount_minor = at_stake_minor(row, action)
    content = content_above(by_hand.two_above, amount_minor, row.currency)
    credits = row.prepaid_credits_minor + row.granted_credits_minor + row.taxed_credits_minor
    if content is not None or action is not ApprovalAction.INVOICE_VOID or not credits:
        return content
    two = await needs_approval(
        session, by_hand, org_id=row.org_id, amount_minor=credits, command_id=command_id, now=now
    )
    return content_of(amount_minor, row.currency) if two else None


async def _approved(
    session: AsyncSession,
    row: InvoiceRow,
    action: ApprovalAction,
    by_hand: ManualGrantRules | None,
    command_id: str,
    now: datetime,
) -> None:
    content = await approval_content(session, row, action, by_hand, command_id=command_id, now=now)
    if content is not None:
        await approval.consume(session, action, row.id, content, command_id=command_id, now=now)
