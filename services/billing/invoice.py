"""Creates, edits, finalises, numbers and discards invoices. Each step runs in the caller's transaction.

`issue` drafts, finalises and numbers an invoice at once. Taking a number blocks the other transactions that want one of
the same series, so batches finalise without numbers and then call `number_page` in transactions of its own.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_terms import DEFAULT_TERMS
from domain.billing.invoice.booking import InvoicePosting
from domain.billing.invoice.lines import Discount, InvoiceLine, check_discounts, check_lines, total_of
from domain.billing.invoice.rules import UNTAXED, InvoiceRules
from domain.billing.invoice.series import DocumentType, series_of
from domain.billing.invoice.state import InvoiceStatus, require_draft
from domain.common.access import Actor
from domain.common.ids import invoice_transfer_key
from domain.common.money import format_amount
from domain.credits.lots import LotTerms
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from ledger.gateway import Ledger, PostedTransfer, Posting
from models.billing.invoice import InvoiceRow
from repositories.billing import billing_terms, invoice, invoice_line
from repositories.tenants import audit, metadata, organization
from runtime.database import driver_connection
from runtime.identity import new_id
from services.billing import invoice_finalise, tax
from services.billing.outside_tax import TaxAnswer


async def draft(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    currency: str,
    lines: Sequence[InvoiceLine] = (),
    discounts: Sequence[Discount] = (),
    note: str | None = None,
    due_in: timedelta | None = None,
    includes_tax: bool = False,
    applies_credits: bool = False,
    entity: str | None = None,
    command_id: str,
    now: datetime,
    own: OwnMetadata = NO_METADATA,
) -> InvoiceRow:
    """Create a draft, or return the one that the command created, edited or finalised since.

    Args:
        session: of the platform.
        actor: its author.
        org_id: the buyer.
        currency: of all amounts, which are its minor units.
        lines: the lines so far; `edit` replaces them.
        discounts: on all of them, one after the other.
        note: shown to the organization.
        due_in: the time to pay, from finalisation on; None for that of the billing terms.
        includes_tax: whether the lines' amounts include their tax.
        applies_credits: whether finalising takes the organization's credits, granted ones before tax and purchased
            ones as a payment.
        entity: the code of the legal entity that issues it; None for the deployment's first one.
        command_id: of the request.
        now: the time.
        own: the metadata.
    """
    await organization.get(session, org_id)
    row = new_draft(
        actor,
        org_id=org_id,
        currency=currency,
        lines=lines,
        discounts=discounts,
        note=note,
        due_in=await time_to_pay(session, org_id, now) if due_in is None else due_in,
        includes_tax=includes_tax,
        applies_credits=applies_credits,
        entity=entity,
        command_id=command_id,
        now=now,
    )
    done = await invoice.made_before(session, row, edited=True)
    if done is not None:
        return done
    await audit.record(session, actor, "invoice.draft", row.id, details_of(row), row.org_id)
    await metadata.add(session, row.id, org_id, own, command_id)
    await invoice.add(session, row)
    return row


async def edit(
    session: AsyncSession,
    actor: Actor,
    invoice_id: str,
    *,
    lines: Sequence[InvoiceLine],
    discounts: Sequence[Discount] = (),
    note: str | None = None,
    now: datetime,
) -> InvoiceRow:
    """Replace all lines, discounts and the note of a draft. Idempotent."""
    row = await invoice.get(session, invoice_id, locked=True)
    _require_draft(row)
    check_lines(lines, row.currency)
    check_discounts(discounts)
    row.lines, row.note = invoice_line.as_stored(lines), note
    row.discounts = invoice_line.discounts_as_stored(discounts)
    await invoice.edit(
        await driver_connection(session), row, sum_minor=sum(line.amount_minor for line in lines), at=now
    )
    await audit.record(session, actor, "invoice.edit", row.id, details_of(row), row.org_id)
    return row


async def finalise(
    session: AsyncSession,
    actor: Actor,
    invoice_id: str,
    *,
    rules: InvoiceRules = UNTAXED,
    answer: TaxAnswer | None = None,
    command_id: str,
    now: datetime,
) -> InvoiceRow:
    """Finalise a draft: apply discounts, granted credits, tax and purchased credits, and book it; without a number yet.

    It is `open` afterwards, or `paid` if nothing is due: a zero invoice, or one paid by credits. If the country of the
    organization is not proven, tax is charged and operators are alerted.

    `answer` is the outside tax service's response from before this transaction; without a service the stored rates
    apply.
    """
    row = await invoice.get(session, invoice_id, locked=True)
    if row.finalise_command_id == command_id:
        return row
    _require_draft(row)
    await invoice_finalise.finalise_locked(session, row, rules=rules, answer=answer, command_id=command_id, now=now)
    await audit.record(session, actor, "invoice.finalise", row.id, details_of(row), row.org_id)
    return row


async def discard(session: AsyncSession, actor: Actor, invoice_id: str, now: datetime) -> InvoiceRow:
    """Discard a draft, so that it can no longer be finalised. It gets no invoice number. A repeat changes nothing."""
    row = await invoice.get(session, invoice_id, locked=True)
    if row.discarded_at is None:
        _require_draft(row)
        await invoice.discard(await driver_connection(session), row, now)
        await audit.record(session, actor, "invoice.discard", row.id, details_of(row), row.org_id)
    return row


def _require_draft(row: InvoiceRow) -> None:
    require_draft(invoice.balance_of(row), row.currency, is_discarded=row.discarded_at is not None)


async def time_to_pay(session: AsyncSession, org_id: str, now: datetime) -> timedelta:
    """Return the time that an organization has to pay: by the terms in force, or 30 days."""
    version = await billing_terms.version_at(session, org_id, now)
    return timedelta(days=(DEFAULT_TERMS if version is None else version.terms).net_days)


async def time_zone_of(session: AsyncSession, row: InvoiceRow) -> ZoneInfo:
    """Return the time zone of the days on an invoice: that of the terms of its last billed period.

    Terms may have changed since: they change at the end of a month, and its invoice is issued afterwards.
    """
    ends = (line.period_end for line in map(invoice_line.line_of, row.lines))
    over = [end - timedelta.resolution for end in ends if end is not None and end <= row.issued_at]
    return await billing_terms.time_zone_at(session, row.org_id, max(over, default=row.issued_at))


async def number_page(session: AsyncSession, series: str = DocumentType.INVOICE.value, limit: int = 500) -> int:
    """Number up to `limit` finalised invoices of a series in order; returns how many. Alone in its transaction.

    Call it until it returns less than `limit`. Invoices that are locked meanwhile are left for the next call.
    """
    return await invoice.number_page(await driver_connection(session), series, limit)


async def issue(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    currency: str,
    lines: Sequence[InvoiceLine],
    note: str | None,
    due_in: timedelta | None,
    command_id: str,
    now: datetime,
    discounts: Sequence[Discount] = (),
    includes_tax: bool = False,
    applies_credits: bool = False,
    rules: InvoiceRules = UNTAXED,
    answer: TaxAnswer | None = None,
    own: OwnMetadata = NO_METADATA,
) -> InvoiceRow:
    """Draft, finalise and number an invoice at once, or return the one that the command issued.

    The number is taken last, because it blocks other transactions that want one until this one ends. `answer` is as for
    `finalise`.
    """
    await organization.get(session, org_id)
    total_of(lines, currency)
    rules = rules.of(await tax.entity_selling_to(session, org_id))
    row = new_draft(
        actor,
        org_id=org_id,
        currency=currency,
        lines=lines,
        discounts=discounts,
        note=note,
        due_in=await time_to_pay(session, org_id, now) if due_in is None else due_in,
        includes_tax=includes_tax,
        applies_credits=applies_credits,
        entity=rules.entity,
        command_id=command_id,
        now=now,
    )
    done = await invoice.made_before(session, row, due_by_terms=due_in is None)
    if done is not None:
        return done
    await metadata.add(session, row.id, org_id, own, command_id)
    await invoice.add(session, row)
    await invoice_finalise.finalise_locked(session, row, rules=rules, answer=answer, command_id=command_id, now=now)
    await audit.record(session, actor, "invoice.issue", row.id, details_of(row), row.org_id)
    await invoice.number(session, await driver_connection(session), row)
    return row


async def post(
    session: AsyncSession, row: InvoiceRow, moves: Sequence[InvoicePosting], *, step: str, kind: str, now: datetime
) -> PostedTransfer:
    """Post a change of an invoice as one transfer; it returns only credits that the invoice took."""
    postings = [
        Posting(
            move.source,
            move.destination,
            move.amount_minor,
            LotTerms(returns=row.transfer_id, only=move.credits) if move.credits else None,
        )
        for move in moves
    ]
    return await Ledger(await driver_connection(session)).post_compound(
        key=invoice_transfer_key(row.id, step),
        kind=kind,
        postings=postings,
        reference=row.id,
        effective_at=now,
        org_id=row.org_id,
    )


def new_draft(
    actor: Actor,
    *,
    org_id: str,
    currency: str,
    lines: Sequence[InvoiceLine],
    discounts: Sequence[Discount],
    note: str | None,
    due_in: timedelta,
    includes_tax: bool,
    applies_credits: bool,
    entity: str | None,
    command_id: str,
    now: datetime,
) -> InvoiceRow:
    """Return the row of a draft that is not written yet; arguments as for `draft`."""
    check_lines(lines, currency)
    check_discounts(discounts)
    amount = sum(line.amount_minor for line in lines)
    return InvoiceRow(
        id=new_id("inv"),
        org_id=org_id,
        status=InvoiceStatus.DRAFT.value,
        currency=currency,
        series=series_of(DocumentType.INVOICE, entity),
        total_minor=amount,
        subtotal_minor=amount,
        tax_minor=0,
        paid_minor=0,
        prepaid_minor=0,
        prepaid_credits_minor=0,
        granted_minor=0,
        granted_credits_minor=0,
        taxed_minor=0,
        taxed_credits_minor=0,
        credited_minor=0,
        rounded_minor=0,
        written_off_minor=0,
        lines=invoice_line.as_stored(lines),
        discounts=invoice_line.discounts_as_stored(discounts),
        taxes=[],
        includes_tax=includes_tax,
        applies_credits=applies_credits,
        is_proven=True,
        note=note,
        issued_at=now,
        due_at=now + due_in,
        updated_at=now,
        created_by=actor.qualified(),
        command_id=command_id,
    )


def details_of(row: InvoiceRow) -> dict[str, str]:
    """Return what the audit trail records about an invoice."""
    return {"amount": format_amount(row.total_minor, row.currency), "currency": row.currency}
