"""Issues credit notes: the correction, the credits that are refunded, the row and its number in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.credit_note import CreditNote, CreditsTaken, compute_note
from domain.billing.invoice import booking
from domain.billing.invoice.arithmetic import prorated
from domain.billing.invoice.booking import BookedPart, InvoicePosting
from domain.billing.invoice.lines import SUBSCRIPTIONS
from domain.billing.invoice.series import DocumentType, entity_of, number_text, series_of
from domain.billing.invoice.state import InvoiceBalance, InvoiceStatus, with_payment
from domain.common.access import Actor
from domain.common.approval import ApprovalAction, content_above, content_of
from domain.common.errors import ExceedsRemainder, Invalid, WrongInvoiceState, other_request
from domain.common.money import format_amount
from models.billing.invoice import CreditNoteRow, InvoiceRow
from models.billing.subscription import SubscriptionBill
from repositories.billing import credit_note, invoice, invoice_line, subscription_bill
from repositories.billing.invoice import AvailableCredits
from repositories.books import debt
from repositories.common import command
from repositories.credits import credit_lot
from repositories.tenants import audit
from runtime.database import driver_connection
from runtime.identity import new_id
from services.billing import subscription_refund
from services.billing.invoice import post
from services.billing.invoice_finalise import unit_of
from services.common import approval
from services.credits.credit_lot import ManualGrantRules, needs_approval


async def approval_content(
    session: AsyncSession,
    row: InvoiceRow,
    amount_minor: int | None,
    by_hand: ManualGrantRules | None,
    *,
    command_id: str,
    now: datetime,
) -> dict[str, object] | None:
    """Return the content that two operators have to approve before a note is issued; None if one operator is enough.

    All notes of the invoice count together, so that small notes do not avoid the approval; see `worth_minor`. Returned
    credits count with all grants to the organization within a day. Also None if the command has already issued the
    note. `amount_minor` is the requested amount, None for the whole rest.
    """
    if by_hand is None or await command.row_of_command(session, CreditNoteRow, command_id) is not None:
        return None
    worth = worth_minor(row, row.total_minor - row.credited_minor if amount_minor is None else amount_minor)
    content = content_above(by_hand.two_above, worth, row.currency)
    if content is not None:
        return content
    try:
        credits = (await _note(session, row, amount_minor)).credits_minor
    except (WrongInvoiceState, ExceedsRemainder, Invalid):
        return None  # `issue` refuses it
    if not credits or not await needs_approval(
        session, by_hand, org_id=row.org_id, amount_minor=credits, command_id=command_id, now=now
    ):
        return None
    return content_of(worth, row.currency)


def worth_minor(row: InvoiceRow, amount_minor: int) -> int:
    """Return the sum of an invoice's notes with a new one, plus the taxed and granted credits that they return."""
    credited = row.credited_minor + amount_minor
    taxed = prorated(row.taxed_minor, credited, row.total_minor) if row.total_minor else row.taxed_minor
    return credited + taxed + (row.granted_minor if credited + row.rounded_minor >= row.total_minor else 0)


async def credits_with_refund(session: AsyncSession, row: InvoiceRow, amount_minor: int) -> int:
    """Return the credits that a refund's credit note returns; `amount_minor` is the refunded amount.

    0 if no note can be issued; `issue` refuses it.
    """
    refunded = min(amount_minor, row.paid_minor)
    due = invoice.balance_of(row, row.paid_minor)
    try:
        return (await _note(session, row, refunded, standing=with_payment(due, -refunded))).credits_minor
    except (WrongInvoiceState, ExceedsRemainder, Invalid):
        return 0


async def _note(
    session: AsyncSession,
    row: InvoiceRow,
    amount_minor: int | None,
    most_minor: int | None = None,
    *,
    standing: InvoiceBalance | None = None,
) -> CreditNote:
    taken = AvailableCredits()
    if row.prepaid_credits_minor or row.taxed_credits_minor:
        taken = await invoice.credits_taken(await driver_connection(session), row)
    credits = CreditsTaken(
        prepaid_minor=row.prepaid_minor,
        granted_credits_minor=row.granted_credits_minor,
        taxed=taken.taxed,
        untaxed=taken.untaxed,
    )
    return compute_note(
        standing or invoice.balance_of(row),
        credits,
        credited_minor=row.credited_minor,
        amount_minor=amount_minor,
        currency=row.currency,
        most_minor=most_minor,
        rounded_minor=row.rounded_minor,
        unit_minor=unit_of(invoice_line.lines_of(row), row.currency),
    )


async def issue(
    session: AsyncSession,
    actor: Actor,
    invoice_id: str,
    *,
    amount_minor: int | None,
    reason: str,
    command_id: str,
    now: datetime,
    by_hand: ManualGrantRules | None = None,
    restores: bool = True,
) -> CreditNoteRow:
    """Credit a part or the whole rest of an invoice, or return the note that the command issued.

    The amount includes tax. It is allocated over the invoice's revenue streams and taxes in proportion to what is left
    of each, so notes for the whole add up to the invoice. If nothing is due afterwards, the invoice is paid. For a
    subscription's invoice the credits of its period are clawed back first, and used ones reduce the creditable amount.
    Once it is paid, credits that lost disputes had clawed back are restored as far as their price was paid, unless it
    is refunded (`restores`).

    `by_hand` holds the limit above which two operators have to approve the note; None for no limit. See
    `approval_content`.
    """
    org_id = (await invoice.get(session, invoice_id)).org_id
    if by_hand is not None:
        await credit_lot.lock_grants(session, org_id)
    if restores:
        await debt.lock(session, org_id)
    row = await invoice.get(session, invoice_id, locked=True)
    await command.lock_command(session, command_id)
    done = await command.row_of_command(session, CreditNoteRow, command_id)
    if done is not None:
        if (done.invoice_id, done.reason) != (row.id, reason) or amount_minor not in {None, done.amount_minor}:
            raise other_request()
        return done
    content = await approval_content(session, row, amount_minor, by_hand, command_id=command_id, now=now)
    if content is not None:
        await approval.consume(session, ApprovalAction.INVOICE_CREDIT, row.id, content, command_id=command_id, now=now)
    of_row = invoice_line.parts_of_row(row)
    bill = await subscription_bill.bill_of_invoice(session, row.id) if booking.is_of_subscription(of_row) else None
    most = None if bill is None else await _take_back(session, row, bill, of_row, command_id, now)
    note = await _note(session, row, amount_minor, most)
    before = [[BookedPart(**part) for part in each.parts] for each in await credit_note.of_invoice(session, row.id)]
    parts = booking.allocate_to_parts(of_row, before, note.amount_minor)
    postings = await _postings(session, row, bill, note, parts)
    note_id = new_id("crn")
    posted = await post(session, row, postings, step=f"credit:{note_id}", kind="credit_note.issued", now=now)
    _deduct(row, note, now)
    await session.flush()
    is_paid = row.status == InvoiceStatus.PAID.value and not row.written_off_minor
    if restores and bill is not None and bill.returned_minor and is_paid:
        await subscription_refund.restore(session, bill, cause=f"credit_note:{command_id}", now=now)
    tax = sum(part.amount_minor for part in parts if part.account.startswith("tax/"))
    series = series_of(DocumentType.CREDIT_NOTE, entity_of(row.series))
    details = {"amount": format_amount(note.amount_minor, row.currency), "currency": row.currency, "invoice": row.id}
    await audit.record(session, actor, "credit_note.issue", note_id, details, row.org_id)
    made = CreditNoteRow(
        id=note_id,
        org_id=row.org_id,
        invoice_id=row.id,
        number=number_text(await invoice.next_number(session, series), series),
        series=series,
        currency=row.currency,
        amount_minor=note.amount_minor,
        net_minor=note.amount_minor - tax,
        tax_minor=tax,
        prepaid_minor=note.prepaid_minor,
        credits_minor=note.credits_minor,
        rounded_minor=note.rounded_minor,
        parts=[part.as_stored() for part in parts],
        reason=reason,
        issued_at=now,
        transfer_id=posted.transfer_id,
        created_by=actor.qualified(),
        command_id=command_id,
    )
    await credit_note.add(session, made)
    return made


async def _take_back(
    session: AsyncSession,
    row: InvoiceRow,
    bill: SubscriptionBill,
    of_row: Sequence[BookedPart],
    command_id: str,
    now: datetime,
) -> int:
    """Claw back the credits of a subscription's period, and return the maximum amount that can then be credited."""
    booked = booking.issue_postings(row.org_id, row.currency, of_row)
    also = {account for posting in booked for account in (posting.source, posting.destination)}
    await subscription_refund.claw_back(session, bill, cause=f"credit_note:{command_id}", now=now, also=also)
    gone = row.credited_minor + row.written_off_minor
    return subscription_refund.creditable_minor(bill, credited_gross_minor=gone)


async def _postings(
    session: AsyncSession, row: InvoiceRow, bill: SubscriptionBill | None, note: CreditNote, parts: Sequence[BookedPart]
) -> list[InvoicePosting]:
    """Return a note's postings, and record it on a subscription's bill, whose deferred revenue is used first."""
    if bill is None:
        postings = booking.reversal_postings(row.org_id, row.currency, parts)
    else:
        net = sum(part.amount_minor for part in parts if part.account == SUBSCRIPTIONS)
        postings = await subscription_refund.credit(session, bill, net)
        others = [part for part in parts if part.account != SUBSCRIPTIONS]
        postings += booking.reversal_postings(row.org_id, row.currency, others)
    postings += booking.credit_return_postings(
        row.org_id,
        row.currency,
        granted_credits=note.granted_credits_minor,
        taxed_credits=note.taxed_credits_minor,
        credits=note.prepaid_credits_minor,
        prepaid_minor=note.prepaid_minor,
    )
    return postings + booking.rounding_postings(row.org_id, row.currency, note.rounded_minor, back=True)


def _deduct(row: InvoiceRow, note: CreditNote, now: datetime) -> None:
    """Deduct a note from the invoice's amounts; the invoice is paid if nothing is due then."""
    row.credited_minor += note.amount_minor
    row.prepaid_minor -= note.prepaid_minor
    row.rounded_minor -= note.rounded_minor
    row.prepaid_credits_minor -= note.prepaid_credits_minor
    row.granted_credits_minor -= note.granted_credits_minor
    row.taxed_credits_minor -= note.taxed_credits_minor
    row.updated_at = now
    if not invoice.balance_of(row).unpaid_minor:
        row.status, row.paused_for = InvoiceStatus.PAID.value, None
