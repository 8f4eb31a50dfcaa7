"""The contents of invoices, credit notes, receipts and tax documents, read from their rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.document.content import (
    Document,
    DocumentDiscount,
    DocumentKind,
    DocumentLine,
    Party,
    Tax,
    TaxSum,
)
from domain.billing.document.words import CREDITS
from domain.billing.invoice.wording import text_of
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.common.errors import DocumentNoSeller, DocumentNothingReceived, WrongInvoiceState
from domain.common.mail import language_of
from domain.common.money import CREDIT, format_amount
from domain.payments.payment.purposes.credits import Credits
from domain.payments.payment.state import Payment
from domain.payments.payment.terms import PaymentTerms
from models.billing.invoice import CreditNoteRow, InvoiceRow
from models.billing.tax_receipt import TaxReceipt
from providers.formats import formats_of
from repositories.billing import (
    billing_profile,
    billing_terms,
    credit_note as credit_notes,
    invoice as invoices,
    invoice_line,
    tax_receipt as tax_receipts,
)
from repositories.tenants import contact, organization
from services.billing import invoice
from services.billing.tax import stored_buyer

#: The accounts of taxes below `platform/`, one for each tax code.
TAX_ACCOUNTS = "tax/"


@dataclass(frozen=True, slots=True)
class Buyer:
    """Buyer on a document, its language, and the time zone of its days."""

    party: Party
    language: str
    zone: ZoneInfo

    def day(self, at: datetime) -> date:
        """Return the day of a moment in the buyer's time zone."""
        return at.astimezone(self.zone).date()


async def of_invoice(session: AsyncSession, row: InvoiceRow, seller: Party | None) -> Document:
    """Return the contents of an invoice's document: the invoice as issued, without later payments.

    Raises:
        WrongInvoiceState: it has no number yet.
    """
    number = _number_of(row)
    buyer = await buyer_of(session, row.org_id, await invoice.time_zone_of(session, row), row.party)
    # Credit notes return credits that paid the invoice; its document shows them as on the day of issue.
    notes = await credit_notes.of_invoice(session, row.id)
    of_lines, taxes = _taxes(row)
    return Document(
        kind=DocumentKind.INVOICE,
        number=number,
        language=buyer.language,
        currency=row.currency,
        issued_on=buyer.day(row.issued_at),
        due_on=buyer.day(row.due_at),
        seller=require_seller(seller),
        buyer=buyer.party,
        lines=tuple(_line(stored, tax, buyer) for stored, tax in zip(row.lines, of_lines, strict=True)),
        taxes=taxes,
        reductions=tuple(_reductions(row)),
        includes_tax=row.includes_tax,
        prepaid_minor=row.prepaid_minor + sum(note.prepaid_minor for note in notes),
        rounded_minor=row.rounded_minor + sum(note.rounded_minor for note in notes),
        note=row.note,
    )


async def of_paid_invoice(session: AsyncSession, row: InvoiceRow, seller: Party | None) -> Document:
    """Return the contents of a paid invoice's document: the invoice as issued, with nothing due.

    Raises:
        WrongInvoiceState: it has no number yet.
    """
    issued = await of_invoice(session, row, seller)
    zone = await invoice.time_zone_of(session, row)
    paid_at = invoices.paid_at(row, await invoices.payments_of(session, row.id)) or row.issued_at
    return replace(issued, paid_minor=issued.due_minor, paid_on=paid_at.astimezone(zone).date())


async def of_credit_note(session: AsyncSession, row: InvoiceRow, note: CreditNoteRow, seller: Party | None) -> Document:
    """Return the contents of a credit note's document: the credited amounts by tax.

    Raises:
        WrongInvoiceState: its invoice has no number yet, which the document has to show.
    """
    reference = _number_of(row)
    buyer = await buyer_of(session, row.org_id, await invoice.time_zone_of(session, row), row.party)
    of_lines, _ = _taxes(row)
    by_code = {stored.get("tax"): tax for stored, tax in zip(row.lines, of_lines, strict=True)}
    nets: dict[Tax | None, int] = {}
    taken: dict[Tax | None, int] = {}
    for part in note.parts:
        # If several taxes of the invoice have one code, the part has its category and rate.
        rate_e6 = part.get("rate_e6")
        tax = by_code.get(part["tax"]) if rate_e6 is None else Tax(category=part["category"], rate_e6=rate_e6)
        # The reversed part of a tax is on the account of its code.
        sums = taken if part["account"].startswith(TAX_ACCOUNTS) else nets
        sums[tax] = sums.get(tax, 0) + part["amount_minor"]
    # A small note can reverse a tax alone, or a net amount alone.
    found = nets | {tax: 0 for tax in taken if tax not in nets}
    return Document(
        kind=DocumentKind.CREDIT_NOTE,
        number=note.number,
        language=buyer.language,
        currency=note.currency,
        issued_on=buyer.day(note.issued_at),
        seller=require_seller(seller),
        buyer=buyer.party,
        lines=tuple(
            DocumentLine(description=note.reason, net_minor=net, unit_minor=net, tax=tax) for tax, net in found.items()
        ),
        taxes=tuple(
            TaxSum(tax=tax, taxable_minor=net, tax_minor=taken.get(tax, 0))
            for tax, net in found.items()
            if tax is not None
        ),
        rounded_minor=note.rounded_minor,
        reference=reference,
    )


def _number_of(row: InvoiceRow) -> str:
    if row.number is None:
        raise WrongInvoiceState("This invoice has no number yet, so it has no document.", extra={"state": row.status})
    return row.number


async def of_payment(session: AsyncSession, payment: Payment, seller: Party | None) -> Document:
    """Return the contents of a payment's receipt: the amount received, before refunds and disputes."""
    terms, received_minor = payment.terms, payment.received_minor - payment.reversed_minor
    if received_minor <= 0:
        raise DocumentNothingReceived("Nothing has been received for this payment yet.")
    zone = await billing_terms.time_zone_at(session, terms.org_id, terms.created_at)
    buyer = await buyer_of(session, terms.org_id, zone)
    return Document(
        kind=DocumentKind.RECEIPT,
        number=terms.payment_id,
        language=buyer.language,
        currency=terms.currency,
        issued_on=buyer.day(terms.created_at),
        seller=require_seller(seller),
        buyer=buyer.party,
        lines=(DocumentLine(description=_sold(terms, buyer.language), net_minor=received_minor),),
        paid_minor=received_minor,
    )


async def of_tax_receipt(session: AsyncSession, row: TaxReceipt, terms: PaymentTerms, seller: Party | None) -> Document:
    """Return the contents of a sale's tax document: the amount received or refunded, with its tax."""
    zone = await billing_terms.time_zone_at(session, row.org_id, row.issued_at)
    buyer = await buyer_of(session, row.org_id, zone, row.party)
    came_in = row.gross_minor > 0
    # A deployment without any tax does not show one.
    tax = None if row.category == TaxCategory.OUTSIDE.value else Tax(category=row.category, rate_e6=row.rate_e6)
    net_minor, tax_minor = abs(row.net_minor), abs(row.tax_minor)
    return Document(
        kind=DocumentKind.RECEIPT if came_in else DocumentKind.CREDIT_NOTE,
        number=row.number,
        language=buyer.language,
        currency=row.currency,
        issued_on=buyer.day(row.issued_at),
        seller=require_seller(seller),
        buyer=buyer.party,
        lines=(DocumentLine(description=_sold(terms, buyer.language), net_minor=net_minor, tax=tax),),
        taxes=() if tax is None else (TaxSum(tax=tax, taxable_minor=net_minor, tax_minor=tax_minor),),
        paid_minor=net_minor + tax_minor if came_in else 0,
        reference=row.payment_id if came_in else await tax_receipts.first_number(session, row.payment_id),
    )


def _sold(terms: PaymentTerms, language: str) -> str:
    purpose = terms.purpose
    if purpose.goods_asset != CREDIT or terms.description != Credits().describe(purpose):
        return terms.description
    return f"{formats_of(language).amount(format_amount(purpose.goods_minor, CREDIT), CREDIT)} {CREDITS[language]}"


def require_seller(seller: Party | None) -> Party:
    """Return the seller."""
    if seller is None:
        raise DocumentNoSeller(
            "No seller is configured, so no documents can be made. Ask the operator to set BURSAR_SELLER_NAME."
        )
    return seller


async def buyer_of(session: AsyncSession, org_id: str, zone: ZoneInfo, kept: Mapping[str, str] | None = None) -> Buyer:
    """Return the buyer: as stored with the finalised invoice, or by its present profile.

    `zone` is the time zone of the days in the document; the billing terms set it.
    """
    profile = await billing_profile.find(session, org_id)
    kept = kept or stored_buyer(profile) or {}
    contacts = await contact.get(session, org_id)
    party = Party(
        name=kept.get("legal_name") or (await organization.get(session, org_id)).name,
        line1=kept.get("line1"),
        line2=kept.get("line2"),
        postcode=kept.get("postal_code"),
        city=kept.get("city"),
        country=kept.get("country"),
        vat_id=kept.get("vat_id"),
        email=kept.get("email"),
    )
    language = language_of(kept.get("language"), contacts.language if contacts else None)
    return Buyer(party=party, language=language, zone=zone)


def _taxes(row: InvoiceRow) -> tuple[Sequence[Tax | None], tuple[TaxSum, ...]]:
    """Return the tax of each line, and a sum for each category and rate; none if no tax is charged."""
    of_lines, found = invoice_line.taxes_of(row)
    if all(each.tax.category is TaxCategory.OUTSIDE for each in found):
        return [None] * len(of_lines), ()
    sums: dict[Tax, TaxSum] = {}
    for each in found:
        tax = _stated(each.tax)
        before = sums.get(tax, TaxSum(tax=tax, taxable_minor=0, tax_minor=0))
        sums[tax] = TaxSum(
            tax=tax,
            taxable_minor=before.taxable_minor + each.taxable_minor,
            tax_minor=before.tax_minor + each.tax_minor,
        )
    return [_stated(tax) for tax in of_lines], tuple(sums.values())


def _stated(tax: AppliedTax) -> Tax:
    return Tax(category=tax.category.value, rate_e6=tax.rate_e6)


def _reductions(row: InvoiceRow) -> Iterator[DocumentDiscount]:
    for stored in row.discounts:
        yield DocumentDiscount(description=stored["description"], amount_minor=stored["taken_minor"])
    if row.granted_minor:
        yield DocumentDiscount(description=None, amount_minor=row.granted_minor)
    if row.taxed_minor:
        yield DocumentDiscount(description=None, amount_minor=row.taxed_minor, is_taxed=True)


def _line(stored: Mapping[str, Any], tax: Tax | None, buyer: Buyer) -> DocumentLine:
    line, period = invoice_line.line_of(stored), None
    if line.period_start is not None and line.period_end is not None:
        period = (buyer.day(line.period_start), buyer.day(line.period_end))
    return DocumentLine(
        description=text_of(line.wording, buyer.language) if line.wording else line.description,
        quantity=line.quantity,
        unit_minor=line.unit_minor if line.fixed_minor is None else None,
        shown_minor=line.amount_minor,
        discount_minor=line.discount_minor,
        net_minor=stored["net_minor"],
        # A part of a day has no day after it.
        period=period if period is not None and period[0] < period[1] else None,
        tax=tax,
    )
